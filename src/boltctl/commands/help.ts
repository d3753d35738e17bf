/**
 * `boltctl help`.
 *
 * @module
 */
import { unknownCommand } from "../command_line.ts";
import { COMMANDS, findCommand } from "../command_table.ts";
import type { Context } from "../context.ts";
import { commandHelp, helpObject, overview } from "../help_text.ts";

/** Explains the program, or a command. */
export function help({ output, args }: Context): Promise<void> {
  const [name] = args;
  if (name === undefined) {
    if (output.json) COMMANDS.forEach((command) => output.object(helpObject(command)));
    else overview().forEach((line) => output.line(line));
    return Promise.resolve();
  }
  const command = findCommand(name);
  if (command === undefined) throw unknownCommand(name);
  output.result(
    helpObject(command),
    () => commandHelp(command).forEach((line) => output.line(line)),
  );
  return Promise.resolve();
}
