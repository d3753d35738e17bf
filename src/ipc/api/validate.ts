/**
 * Checks a value against a schema, and says which member broke which rule.
 *
 * @module
 */
import { Check, DecodeUnsafe, Errors } from "typebox/value";
import { RequestError, type Violation } from "./problem.ts";
import type { Parsed, Schema, Static } from "./schema.ts";

/** Most violations that one answer names. */
const MAX_VIOLATIONS = 8;
/** Longest name of an unknown member that is repeated in an answer. */
const MAX_NAME = 64;

/**
 * `value` as the schema's type, its texts in the normal form of their kinds.
 *
 * @param schema What it must be: an object schema, or a union of such ("forms").
 * @param value What came, of any shape.
 * @param where Where it came from, for the violations.
 * @throws {RequestError} INVALID_PARAMETERS, each violation naming a member or parameter.
 */
export function parse<T extends Schema>(
  schema: T,
  value: unknown,
  where: Violation["in"],
): Parsed<T> {
  // What was checked decodes to the type that its schema says.
  if (Check(schema, value)) return DecodeUnsafe({}, schema, value) as Parsed<T>;
  const violations = findings(schema, value).slice(0, MAX_VIOLATIONS)
    .map(({ pointer, detail }) => ({
      in: where,
      // A parameter of path or query is known by its name, a member by its JSON Pointer.
      name: where === "body" ? pointer : pointer.slice(1),
      detail,
    }));
  const said = violations.map(({ name, detail }) => `${name === "" ? where : name} ${detail}`);
  throw new RequestError("INVALID_PARAMETERS", said.join("; "), violations);
}

/** Whether `value` is of the schema's type. Of a union only forms whose constants fit are looked at. */
export function is<T extends Schema>(schema: T, value: unknown): value is Static<T> {
  const forms = formsWithConstants(schema);
  if (forms.length === 0 || !isRecord(value)) return Check(schema, value);
  return forms.some(({ form, constants }) =>
    constants.every(([name, constant]) => value[name] === constant) && Check(form, value)
  );
}

/** The forms of a union, with what distinguishes them. */
interface Form {
  readonly form: Schema;
  readonly constants: [name: string, constant: unknown][];
}

const FORMS = new WeakMap<Schema, readonly Form[]>();

function formsWithConstants(schema: Schema): readonly Form[] {
  const known = FORMS.get(schema);
  if (known !== undefined) return known;
  const forms = formsOf(schema).map((form) => ({ form, constants: constantsOf(form) }));
  FORMS.set(schema, forms);
  return forms;
}

interface Finding {
  /** JSON Pointer (RFC 6901) of the member at fault; empty: the whole value. */
  readonly pointer: string;
  readonly detail: string;
}

function findings(schema: Schema, value: unknown): Finding[] {
  const forms = formsOf(schema);
  if (forms.length === 0) return findingsOfForm(schema, value);
  if (!isRecord(value)) return [{ pointer: "", detail: "must be object" }];
  const wrong = choicesOf(forms).filter(([name, allowed]) => !allowed.includes(value[name]))
    .map(([name, allowed]) => ({
      pointer: `/${name}`,
      detail: `must be one of ${allowed.join(", ")}`,
    }));
  if (wrong.length > 0) return wrong;
  // The form that was meant: the one whose constants fit; of several, the one nearest to it.
  return forms
    .filter((form) => constantsOf(form).every(([name, constant]) => value[name] === constant))
    .map((form) => findingsOfForm(form, value))
    .reduce((best, next) => next.length < best.length ? next : best);
}

function findingsOfForm(schema: Schema, value: unknown): Finding[] {
  return Errors(schema, value).flatMap((error): Finding[] => {
    const at = error.instancePath;
    switch (error.keyword) {
      case "required":
        return error.params.requiredProperties.map((name) => member(at, name, "is required"));
      case "additionalProperties":
        return error.params.additionalProperties.map((name) => member(at, name, "is unknown"));
      case "boolean": // Says of the same unknown member that its schema is `false`.
        return [];
      case "enum":
        return [{ pointer: at, detail: `must be one of ${error.params.allowedValues.join(", ")}` }];
      case "pattern":
        // The pattern itself helps nobody: what it stands for is said in the description.
        return [{ pointer: at, detail: `must be ${descriptionAt(schema, error.schemaPath)}` }];
      default:
        return [{ pointer: at, detail: error.message }];
    }
  });
}

/** The description of the schema at a path such as `#/properties/paths/items`, as a clause. */
function descriptionAt(schema: Schema, path: string): string {
  let at: unknown = schema;
  for (const step of path.split("/").slice(1)) at = isRecord(at) ? at[step] : undefined;
  const text = isRecord(at) && typeof at["description"] === "string" ? at["description"] : "";
  return text === ""
    ? "of another form"
    : text.replace(/\.$/, "").replace(/^(An?|The) /, (article) => article.toLowerCase());
}

function member(at: string, name: string, detail: string): Finding {
  const shown = name.slice(0, MAX_NAME).replaceAll("~", "~0").replaceAll("/", "~1");
  return { pointer: `${at}/${shown}`, detail };
}

function formsOf(schema: Schema): Schema[] {
  return "anyOf" in schema && Array.isArray(schema.anyOf) ? schema.anyOf : [];
}

/** The members of a form that have one fixed value. */
function constantsOf(form: Schema): [name: string, constant: unknown][] {
  const properties: unknown = "properties" in form ? form.properties : {};
  if (!isRecord(properties)) return [];
  return Object.entries(properties).flatMap(([name, schema]): [string, unknown][] =>
    isRecord(schema) && "const" in schema ? [[name, schema.const]] : []
  );
}

/** The members that distinguish the forms, with the values that there are. */
function choicesOf(forms: Schema[]): [name: string, allowed: unknown[]][] {
  const choices = new Map<string, Set<unknown>>();
  for (const [name, constant] of forms.flatMap(constantsOf)) {
    choices.set(name, (choices.get(name) ?? new Set()).add(constant));
  }
  return [...choices].map(([name, allowed]) => [name, [...allowed]]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
