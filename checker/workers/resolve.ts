// A model from its reference, importing its module where it has one.

import type { AnyModel, AnyNondeterministicModel } from "../models/model.ts";
import { modelNamed } from "../models/registry.ts";
import type { AnyModelReference } from "./protocol.ts";

/** @throws TypeError when there is no such model. */
export async function resolveModel(
  reference: AnyModelReference,
): Promise<AnyModel | AnyNondeterministicModel> {
  if (!("module" in reference)) return modelNamed(reference);
  const module = await import(reference.module) as Record<string, unknown>;
  const factory = module[reference.export];
  if (typeof factory !== "function") {
    throw new TypeError(`${reference.module} exports no function "${reference.export}"`);
  }
  return factory(reference.init);
}
