// Several sets side by side for the checker: its model of one set, told apart by name.

import { type AnyModel, set } from "../../checker/mod.ts";

export type CollectionModel = AnyModel;

/** `set`'s model for inputs {f, set, value}. */
export function setsByName(): CollectionModel {
  const one: AnyModel = set();
  return {
    ...one,
    partition: ({ input }) => input.set,
    describe: (operation) => `${operation.input.set}: ${one.describe(operation)}`,
  };
}
