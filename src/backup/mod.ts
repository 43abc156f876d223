// Copies of partitions and the files that keep them.

export * from "./block.ts";
export * from "./content_hash.ts";
export * from "./documents.ts";
export * from "./partition_copy.ts";
export * from "./records.ts";
