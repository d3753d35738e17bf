/**
 * The flag that confirms a SAS.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { FlagValues } from "./flag_values.ts";

/** The SAS that `--sas` gives, in upper case. @throws {UsageError} When it can't be one. */
export function sasFlag(flags: FlagValues): string | undefined {
  const given = flags.text("sas");
  if (given === undefined) return undefined;
  const sas = given.replaceAll(" ", "").toUpperCase();
  if (/^[0-9A-F]{6}$/.test(sas)) return sas;
  throw new UsageError(`--sas takes six hexadecimal digits, as in A1B2C3`);
}
