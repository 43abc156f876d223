import { assertEquals } from "@std/assert";
import { recoveredReplica } from "../../src/node/group_files.ts";
import type { RecoveredGroup } from "../../src/wal/mod.ts";

const GROUP: RecoveredGroup = {
  group: 1,
  replicaId: 2,
  hardState: { term: 3, vote: 2, commit: 41 },
  snapshot: null,
  configuration: null,
  firstIndex: 1,
  lastIndex: 43,
  lastTerm: 3,
  suspect: null,
};

Deno.test("recoveredReplica() takes a recorded configuration for committed", () => {
  const configuration = { index: 43, confState: new Uint8Array(0) };
  assertEquals(recoveredReplica(GROUP).hardState.commit, 41);
  assertEquals(recoveredReplica({ ...GROUP, configuration }).hardState.commit, 43);
  const earlier = { ...configuration, index: 7 };
  assertEquals(recoveredReplica({ ...GROUP, configuration: earlier }).hardState.commit, 41);
});
