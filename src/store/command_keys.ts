// Which keys a command names, and which of them decides where it goes. Pure.

import type { Command, Key, TxnCommand } from "./types.ts";

/** Every key a transaction names, bounds of ranges included, in the order of its document. */
export function keysOfTransaction(command: TxnCommand): Key[] {
  const keys: Key[] = command.compares.map(({ key }) => key);
  for (const operation of [...command.then, ...command.else]) {
    if (operation.kind === "deleteRange") keys.push(operation.start, operation.end);
    else keys.push(operation.key);
  }
  return keys;
}

/** The key whose partition runs the command; undefined for commands that only a leader proposes. */
export function routingKeyOf(command: Command): Key | undefined {
  if ("key" in command) return command.key;
  return command.kind === "txn" ? keysOfTransaction(command)[0] : undefined;
}
