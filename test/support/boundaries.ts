// The arrows between folders, and the ban on ambient time, randomness and I/O, as rules over one source file.
// They look at the syntax tree, so that comments and strings can say what code must not.

/** Who may import whom among the folders below src/. `platform` stands for its interfaces, platform/ports.ts. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  platform: ["base"],
  raft: ["base"],
  store: ["base"],
  partition: ["base"],
  backup: ["base", "store"],
  wal: ["base", "platform"],
  snapshot: ["base", "platform"],
  transport: ["base", "platform", "raft"],
  replica: ["base", "platform", "raft", "wal", "store", "transport", "snapshot"],
  gossip: ["base", "platform", "transport"],
  node: [
    "base",
    "platform",
    "raft",
    "wal",
    "store",
    "partition",
    "snapshot",
    "transport",
    "replica",
    "gossip",
  ],
  http: ["base", "platform", "store", "node", "backup", "dashboard"],
  client: ["base"],
  cli: ["base", "client", "store", "backup"],
  dashboard: ["base", "client"],
};

/** Files that compose what arrows keep apart: file -> the folder or file it may import besides. */
const COMPOSES: Record<string, readonly string[]> = {
  "src/node/run.ts": ["http"],
  "src/main.ts": ["node", "base", "platform", "platform/deno", "http"],
};

/** Synchronous to its end: no promise of any kind. */
const PURE = new Set(["base", "raft", "store", "partition", "backup"]);

/** All effects through the ports. */
const BANNED_FROM_AMBIENT = new Set([
  ...PURE,
  "wal",
  "snapshot",
  "transport",
  "replica",
  "gossip",
  "node",
  "http",
]);

const AMBIENT = new Set([
  "Deno",
  "Date",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "requestAnimationFrame",
  "crypto",
  "fetch",
  "console",
  "process",
  "navigator",
  "location",
  "localStorage",
  "sessionStorage",
  "indexedDB",
  "caches",
  "Worker",
  "BroadcastChannel",
  "MessageChannel",
  "WebSocket",
  "EventSource",
  "CompressionStream",
  "DecompressionStream",
  "Temporal",
  "globalThis",
  "window",
  "self",
  "eval",
]);

/** Node's modules that may be used under the ban, and what of them. */
const NODE_NAMES: Record<string, readonly string[]> = {
  // The synchronous calls only: the others finish on another thread.
  "node:zlib": ["crc32", "zstdCompressSync", "zstdDecompressSync", "constants"],
  "node:buffer": ["Buffer"],
};

/** Libraries, by the folders that may use them. */
const LIBRARIES: Record<string, readonly string[]> = {
  store: ["sorted-btree"],
  http: ["hono", "@hono/zod-openapi", "prom-client"],
};

/** A rule that a file breaks. */
export interface Violation {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

interface ImportedModule {
  readonly specifier: string;
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

/** `wal` of src/wal/x.ts; `main` of src/main.ts. */
function folderOf(path: string): string {
  return /^src\/(?:([^/]+)\/|(main)\.ts$)/.exec(path)?.slice(1).find(Boolean) ?? "";
}

function resolve(specifier: string, from: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Why `path` may not import a file of the repository, if so. */
function judgeFile(path: string, target: string): string | undefined {
  const topOf = (file: string) => file.slice(0, file.indexOf("/"));
  if (topOf(path) === "checker") {
    return topOf(target) === "checker" ? undefined : `checker/ stands alone: ${target}`;
  }
  if (topOf(path) === "chaos") {
    return topOf(target) === "src" ? `chaos/ knows nodes from outside only: ${target}` : undefined;
  }
  if (topOf(target) !== "src") return `src/ imports nothing outside of itself: ${target}`;
  const [own, other] = [folderOf(path), folderOf(target)];
  if (own === other) return undefined;
  const composes = COMPOSES[path] ?? [];
  if (composes.some((part) => target.startsWith(`src/${part}/`))) return undefined;
  if (!(MAY_IMPORT[own] ?? []).includes(other)) return `${own}/ may not import ${other}/`;
  if (other === "platform" && target !== "src/platform/ports.ts") {
    return `${own}/ may import of platform/ the ports only: ${target}`;
  }
  return undefined;
}

/** Why `path` may not import a library or a module of Node's, if so. */
function judgeModule(path: string, { specifier, names, typeOnly }: ImportedModule) {
  const folder = folderOf(path);
  if (!BANNED_FROM_AMBIENT.has(folder)) return undefined;
  if (specifier.startsWith("node:")) {
    const allowed = NODE_NAMES[specifier] ?? [];
    const wrong = names.find((name) => !allowed.includes(name));
    if (typeOnly || (wrong === undefined && names.length > 0)) return undefined;
    return `${specifier} is not allowed in ${folder}/${wrong === undefined ? "" : `: ${wrong}`}`;
  }
  const libraries = LIBRARIES[folder] ?? [];
  const known = libraries.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  return known ? undefined : `${specifier} is not among the libraries of ${folder}/`;
}

function judgeImport(path: string, imported: ImportedModule): string | undefined {
  const { specifier } = imported;
  if (/^\.{0,2}\//.test(specifier)) return judgeFile(path, resolve(specifier, path));
  return judgeModule(path, imported);
}

function namesOf(specifiers: readonly Deno.lint.Node[]): string[] {
  return specifiers.map((node) => {
    if (node.type === "ImportSpecifier") {
      return node.imported.type === "Identifier" ? node.imported.name : String(node.imported.value);
    }
    if (node.type === "ExportSpecifier") {
      return node.local.type === "Identifier" ? node.local.name : "*";
    }
    return "*";
  });
}

/** An identifier that names a property, not a variable. */
function isProperty(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  const isIt = (other: Deno.lint.Node) =>
    other.range[0] === node.range[0] && other.range[1] === node.range[1];
  switch (parent.type) {
    case "MemberExpression":
      return !parent.computed && isIt(parent.property);
    case "TSQualifiedName":
      return isIt(parent.right);
    case "Property":
      return !parent.computed && !parent.shorthand && isIt(parent.key);
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return !parent.computed && isIt(parent.key);
    default:
      return false;
  }
}

/** Names that the file declares itself, so that `process` may be somebody's port. */
class Declared {
  readonly #names = new Set<string>();

  /** Takes in all names that a pattern binds. */
  add(node: Deno.lint.Node | null): void {
    if (node === null) return;
    if (node.type === "Identifier") this.#names.add(node.name);
    else if (node.type === "ObjectPattern") node.properties.forEach((part) => this.add(part));
    else if (node.type === "Property") this.add(node.value);
    else if (node.type === "ArrayPattern") node.elements.forEach((part) => this.add(part));
    else if (node.type === "RestElement") this.add(node.argument);
    else if (node.type === "AssignmentPattern") this.add(node.left);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

interface Use {
  readonly name: string;
  readonly node: Deno.lint.Node;
}

function makeRule(path: string): Deno.lint.Rule {
  return {
    create(context) {
      const report = (node: Deno.lint.Node, message: string | undefined) => {
        if (message !== undefined) context.report({ node, message });
      };
      const folder = folderOf(path);
      const declared = new Declared();
      const uses: Use[] = [];
      const forbidPromises = (node: Deno.lint.Node) => {
        if (PURE.has(folder)) report(node, `${folder}/ is synchronous: no async, no await`);
      };
      const takeFunction = (
        node:
          | Deno.lint.FunctionDeclaration
          | Deno.lint.FunctionExpression
          | Deno.lint.ArrowFunctionExpression,
      ) => {
        for (const parameter of node.params) {
          declared.add(parameter.type === "TSParameterProperty" ? parameter.parameter : parameter);
        }
        if (node.async) forbidPromises(node);
      };
      return {
        ImportDeclaration(node) {
          const names = namesOf(node.specifiers);
          const typeOnly = node.importKind === "type";
          report(node, judgeImport(path, { specifier: node.source.value, names, typeOnly }));
        },
        ExportNamedDeclaration(node) {
          if (node.source === null) return;
          const names = namesOf(node.specifiers);
          report(node, judgeImport(path, { specifier: node.source.value, names, typeOnly: false }));
        },
        ExportAllDeclaration(node) {
          const { value: specifier } = node.source;
          report(node, judgeImport(path, { specifier, names: ["*"], typeOnly: false }));
        },
        ImportExpression(node) {
          const specifier = node.source.type === "Literal" ? String(node.source.value) : undefined;
          if (specifier === undefined) {
            if (folder !== "") report(node, "an import must name its module literally");
          } else report(node, judgeImport(path, { specifier, names: ["*"], typeOnly: false }));
        },
        VariableDeclarator: (node) => declared.add(node.id),
        FunctionDeclaration: takeFunction,
        FunctionExpression: takeFunction,
        ArrowFunctionExpression: takeFunction,
        AwaitExpression: forbidPromises,
        MemberExpression(node) {
          const { object, property } = node;
          const isMath = object.type === "Identifier" && object.name === "Math";
          if (!isMath || !BANNED_FROM_AMBIENT.has(folder)) return;
          if (node.computed) report(node, "a function of Math must be named literally");
          else if (property.type === "Identifier" && property.name === "random") {
            report(node, `${folder}/ may not use Math.random: take the Random port`);
          }
        },
        Identifier(node) {
          if (!BANNED_FROM_AMBIENT.has(folder) || !AMBIENT.has(node.name)) return;
          // The parser gives `{ Date }` as two identifiers in one place, key and value.
          const again = uses.at(-1)?.node.range[0] === node.range[0];
          if (!again && !isProperty(node)) uses.push({ name: node.name, node });
        },
        "Program:exit"() {
          for (const { name, node } of uses) {
            if (!declared.has(name)) report(node, `${folder}/ may not use ${name}: take a port`);
          }
        },
      };
    },
  };
}

/**
 * What of the rules a source file breaks.
 *
 * @param path from the repository's root; it decides what the file may do
 * @throws outside of `deno test`, or if the source can't be parsed
 */
export function findViolations(path: string, source: string): Violation[] {
  const plugin = { name: "boundaries", rules: { boundaries: makeRule(path) } };
  return Deno.lint.runPlugin(plugin, `/${path}`, source).map(({ range, message }) => ({
    line: source.slice(0, range[0]).split("\n").length,
    message,
  }));
}
