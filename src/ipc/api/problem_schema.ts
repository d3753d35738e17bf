/**
 * The schemas of what problems look like: for the OpenAPI document, and for the client, which checks
 * what it is answered.
 *
 * @module
 */
import * as Type from "typebox";
import { OPERATION_CODES, REQUEST_CODES } from "./problem.ts";

/** @internal */
export const violationSchema = Type.Object({
  in: Type.Enum(["body", "path", "query", "header"], {
    type: "string",
    description: "Where it is.",
  }),
  name: Type.String({
    description: "JSON Pointer in the body, or the name of the parameter or header.",
  }),
  detail: Type.String({ description: "What is wrong with it." }),
}, { title: "Violation" });

/** @internal */
export const problemSchema = Type.Object({
  type: Type.String({ description: "Relative URI, `/problems/` and the code in kebab case." }),
  title: Type.String({ description: "The kind of problem, always the same for a code." }),
  status: Type.Integer({ description: "The HTTP status." }),
  code: Type.String({
    description: "Stable; a reader takes one that it does not know by its status.",
    examples: Object.keys({ ...OPERATION_CODES, ...REQUEST_CODES }),
  }),
  detail: Type.String({ description: "This occurrence, and what to do about it." }),
  errors: Type.Optional(Type.Array(violationSchema)),
}, { title: "Problem", description: "Problem details (RFC 9457)." });
