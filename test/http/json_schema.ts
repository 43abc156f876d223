// Holds JSON against the schemas of an OpenAPI document: as much of JSON Schema as the API uses, and no
// member that a schema does not name.

/** A schema, or a part of a document. */
// deno-lint-ignore no-explicit-any
type Node = any;

/** Where and why `value` does not meet `schema`; undefined if it does. */
export function mismatch(
  root: Node,
  schema: Node,
  value: unknown,
  path = "$",
): string | undefined {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1);
    return mismatch(root, root.components.schemas[name], value, path);
  }
  const choices: Node[] | undefined = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const reasons = choices.map((choice) => mismatch(root, choice, value, path));
    return reasons.includes(undefined) ? undefined : reasons.join(" | ");
  }
  if (schema.const !== undefined && value !== schema.const) return `${path}: not ${schema.const}`;
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `${path}: none of the enum`;
  if (schema.type === undefined) return undefined;
  const types: string[] = [schema.type].flat();
  const type = typeOf(value);
  if (!types.includes(type) && !(type === "integer" && types.includes("number"))) {
    return `${path}: ${type} instead of ${types}`;
  }
  if (typeof value === "number") {
    if (value < (schema.minimum ?? -Infinity)) return `${path}: ${value} is too small`;
    if (value > (schema.maximum ?? Infinity)) return `${path}: ${value} is too large`;
  }
  if (Array.isArray(value)) {
    return first(value.map((item, i) => mismatch(root, schema.items ?? {}, item, `${path}[${i}]`)));
  }
  return type === "object" ? objectMismatch(root, schema, value as object, path) : undefined;
}

function objectMismatch(
  root: Node,
  schema: Node,
  value: object,
  path: string,
): string | undefined {
  const members = new Map(Object.entries(value));
  for (const name of schema.required ?? []) {
    if (!members.has(name)) return `${path}.${name}: is missing`;
  }
  const open = schema.additionalProperties;
  return first([...members].map(([name, member]) => {
    const known = schema.properties?.[name];
    if (known !== undefined) return mismatch(root, known, member, `${path}.${name}`);
    if (typeof open === "object" && Object.keys(open).length > 0) {
      return mismatch(root, open, member, `${path}.${name}`);
    }
    return open === undefined || open === false ? `${path}.${name}: is not described` : undefined;
  }));
}

function first(reasons: readonly (string | undefined)[]): string | undefined {
  return reasons.find((reason) => reason !== undefined);
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number" && Number.isInteger(value)) return "integer";
  return typeof value;
}
