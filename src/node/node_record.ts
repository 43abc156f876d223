// What a node remembers of itself beside its groups: how often it started and which cluster it belongs
// to. Kept in the node's log, so it is as durable and as checked as everything else there.

import type { NodeId } from "../base/ids.ts";
import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import type { Recovered, Wal } from "../wal/mod.ts";

/** Kind of this record among the log's node records. */
const NODE_RECORD_KIND = 1;
const FORMAT_VERSION = 1;

export interface NodeRecord {
  readonly nodeId: NodeId;
  /** Starts so far; distinguishes one life of the node from the next. */
  readonly boots: number;
  /**
   * Tells peers one life from the next: what they hear under an earlier one they drop (RULES 15). Ascends with
   * each start, also where the damage of a log took the record of the last one: it is at least the wall clock, in
   * milliseconds.
   */
  readonly bootNonce: number;
  /** "" while the node belongs to no cluster. */
  readonly clusterId: string;
  /** The genesis record as text, on the first nodes of a cluster. */
  readonly genesis?: string;
  /** All first nodes were seen to hold the genesis: elections may take place (RULES 8). */
  readonly genesisComplete?: boolean;
}

/** The node's record, kept current in its log. */
export class NodeRecordKeeper {
  readonly #wal: Pick<Wal, "putNodeRecord" | "flush">;
  #record: NodeRecord;

  private constructor(wal: Pick<Wal, "putNodeRecord" | "flush">, record: NodeRecord) {
    this.#wal = wal;
    this.#record = record;
  }

  /** Reads the record and counts this start, at `wallMs`; durable when it resolves. */
  static async open(
    wal: Pick<Wal, "nodeId" | "putNodeRecord" | "flush">,
    recovered: Pick<Recovered, "nodeRecords">,
    wallMs: number,
  ): Promise<NodeRecordKeeper> {
    const bytes = recovered.nodeRecords.get(NODE_RECORD_KIND);
    const known = bytes === undefined ? undefined : decode(bytes);
    const keeper = new NodeRecordKeeper(wal, {
      clusterId: "",
      ...known,
      nodeId: wal.nodeId,
      boots: (known?.boots ?? 0) + 1,
      bootNonce: Math.max((known?.bootNonce ?? 0) + 1, Math.floor(wallMs)),
    });
    await keeper.save(keeper.#record);
    return keeper;
  }

  get record(): NodeRecord {
    return this.#record;
  }

  /** Replaces the record; durable when it resolves. */
  save(record: NodeRecord): Promise<void> {
    this.#record = record;
    return new Promise((resolve) => {
      const bytes = utf8Bytes(JSON.stringify({ formatVersion: FORMAT_VERSION, ...record }));
      this.#wal.putNodeRecord(NODE_RECORD_KIND, bytes, resolve);
      this.#wal.flush();
    });
  }
}

function decode(bytes: Uint8Array): Partial<NodeRecord> {
  const { formatVersion, ...record } = JSON.parse(utf8TextOrUndefined(bytes) ?? "null");
  if (formatVersion !== FORMAT_VERSION) {
    throw new Error(`Cannot read the node's record: format ${formatVersion} is not known here`);
  }
  return record;
}
