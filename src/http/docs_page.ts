// GET /docs: the API's description as one page to read, made from the same document as /openapi.json. It
// loads nothing, so it works wherever the node can be reached.

/** As far as the page reads it (OpenAPI 3.1). */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly example?: unknown;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface Content {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content>>;
}

export interface ApiDocument {
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description?: string;
  };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
nav { columns: 16rem; margin: 1.5rem 0; font-size: .95rem; }
nav a { display: block; padding: .1rem 0; }
code, .method { font-family: ui-monospace, monospace; font-size: .92em; }
section { border-top: 1px solid var(--line); padding-top: .5rem; margin-top: 2rem; }
h2 { font-size: 1.15rem; margin: .5rem 0; } h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.method { display: inline-block; min-width: 4.2em; font-weight: 600; text-transform: uppercase; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; width: 1%; }
`;

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character]);
}

function code(text: string): string {
  return `<code>${escape(text)}</code>`;
}

/** What a value may be, in a few words. */
function typeWords(schema: Schema | undefined): string {
  if (schema === undefined) return "";
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  }
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return choices.map(typeWords).join(" or ");
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) {
    return schema.enum.length > 8
      ? `one of ${schema.enum.length} strings`
      : schema.enum.map((value) => code(JSON.stringify(value))).join(", ");
  }
  if (schema.items !== undefined) {
    const most = schema.maxItems === undefined ? "" : `, at most ${schema.maxItems}`;
    return `array of ${typeWords(schema.items)}${most}`;
  }
  if (typeof schema.additionalProperties === "object") {
    return `object of ${typeWords(schema.additionalProperties)}`;
  }
  const type = typeof schema.type === "string" ? schema.type : schema.type?.join(" or ") ?? "any";
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const bounds = low === undefined && schema.maximum === undefined
    ? ""
    : ` ${low ?? ""}…${
      schema.maximum !== undefined && schema.maximum < 2 ** 53 - 1 ? schema.maximum : ""
    }`;
  return escape(`${type}${bounds}`);
}

function row(...cells: string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function table(rows: readonly string[]): string {
  return `<div class="scroll"><table>${rows.join("")}</table></div>`;
}

function membersTable(schema: Schema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, member]) =>
    row(
      code(name) + (schema.required?.includes(name) ? "" : " <small>optional</small>"),
      typeWords(member),
      escape(member.description ?? ""),
    )
  );
  return rows.length === 0 ? "" : table(rows);
}

function schemaBody(schema: Schema): string {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) {
    return choices.map((choice) =>
      choice.$ref === undefined
        ? `<p>one of:</p>${schemaBody(choice)}`
        : `<p>${typeWords(choice)}</p>`
    ).join("");
  }
  return membersTable(schema) || `<p>${typeWords(schema)}</p>`;
}

function contentWords({ content, description }: Content): string {
  const forms = Object.entries(content ?? {}).map(([type, { schema }]) =>
    `${code(type)} ${schema?.$ref === undefined ? "" : typeWords(schema)}`
  );
  return [escape(description ?? ""), ...forms].filter((part) => part !== "").join("<br>");
}

function anchor(method: string, path: string): string {
  return `${method}-${path}`.replace(/[^A-Za-z0-9]+/g, "-").replace(/-+$/, "");
}

function operationSection(method: string, path: string, operation: Operation): string {
  const { summary = "", description, parameters = [], requestBody, responses = {} } = operation;
  const parts = [
    `<section id="${anchor(method, path)}"><h2><span class="method">${method}</span> ${
      code(path)
    }</h2>`,
    `<p>${escape(summary)}.${description === undefined ? "" : ` ${escape(description)}`}</p>`,
  ];
  if (parameters.length > 0) {
    parts.push(
      "<h3>Parameters</h3>",
      table(parameters.map((parameter) =>
        row(
          `${code(parameter.name)} <small>${parameter.in}</small>`,
          typeWords(parameter.schema),
          escape(parameter.description ?? parameter.schema?.description ?? ""),
        )
      )),
    );
  }
  if (requestBody !== undefined) parts.push("<h3>Body</h3>", `<p>${contentWords(requestBody)}</p>`);
  const answers = Object.entries(responses);
  parts.push(
    "<h3>Answers</h3>",
    table(answers.map(([status, answer]) => row(code(status), contentWords(answer)))),
    "</section>",
  );
  return parts.join("");
}

/** The page of an API's description. */
export function docsPage({ info, paths = {}, components }: ApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation }))
  );
  const links = operations.map(({ method, path }) =>
    `<a href="#${anchor(method, path)}"><span class="method">${method}</span>${escape(path)}</a>`
  );
  const schemas = Object.entries(components?.schemas ?? {}).map(([name, schema]) =>
    `<section id="schema-${escape(name)}"><h2>${escape(name)}</h2>` +
    `<p>${escape(schema.description ?? "")}</p>${schemaBody(schema)}</section>`
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>${escape(info.title)} API</title><style>${STYLE}</style></head><body>` +
    `<h1>${escape(info.title)} API</h1><p>${escape(info.description ?? "")} ` +
    `For machines: <a href="/openapi.json">/openapi.json</a>.</p><nav>${links.join("")}</nav>` +
    operations.map(({ method, path, operation }) => operationSection(method, path, operation))
      .join("") +
    `<h1>Documents</h1>${schemas.join("")}</body></html>`;
}
