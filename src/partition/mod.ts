// What the rest of a node uses of the partition map. Re-exports only.

export * from "./admission.ts";
export * from "./commands.ts";
export * from "./genesis.ts";
export * from "./intent.ts";
export { PartitionFormatError } from "./json.ts";
export * from "./leaders.ts";
export * from "./map.ts";
export { decodeMap, encodeMap } from "./map_codec.ts";
export { isAddress, isLabel, isNodeId } from "./members.ts";
export { applyCommand, MetaMachine } from "./meta_machine.ts";
export * from "./plan.ts";
export type { MetaRefusal, MetaResult } from "./result.ts";
export * from "./status.ts";
