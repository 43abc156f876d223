// Answers what other nodes ask over the links. An answer always comes; what goes wrong is in it.

import { CodecError } from "../base/codec.ts";
import type { LogIndex, NodeId, PartitionId } from "../base/ids.ts";
import type { Clock, Log } from "../platform/ports.ts";
import type { MetaResult } from "../partition/mod.ts";
import { failure, NOT_LEADER } from "./data_partition.ts";
import {
  encodePlainAnswer,
  encodeReadAnswer,
  encodeWriteAnswer,
  openRequest,
  RequestKind,
} from "./forward.ts";
import type { Hosting } from "./hosting.ts";
import { ledHere } from "./leader_survey.ts";
import { decodeEnvelope } from "../store/mod.ts";
import { encodePageAnswer, readPageRequest } from "./page_codec.ts";
import type { Failure, PageAnswer, ReadAnswer, WriteAnswer } from "./service.ts";
import type { NodeReport } from "./node_report.ts";
import type { SlowRequests } from "./slow_requests.ts";
import type { Steward } from "./steward.ts";
import { encodeEventsAnswer, readEventsRequest } from "./watch_codec.ts";
import { eventsForPeer } from "./watch_source.ts";

/** What answering needs of the node. */
export interface PeerRequestHost {
  readonly hosting: Hosting | undefined;
  readonly steward: Steward | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly slowRequests: SlowRequests;
  readonly diskLow: boolean;
  leaderOf(partition: PartitionId): NodeId | undefined;
  /** This node's report; its journal behind `change` of the life `boots`, or all of it. */
  report(boots: number, change: number): NodeReport;
  transferHere(partition: PartitionId, to: NodeId): { ok: true } | Failure;
  proposeMetaHere(command: Uint8Array, timeoutMs: number): Promise<MetaResult | Failure>;
}

/** Runs one request; `budgetMs` is what is left of the client's time. Never rejects. */
export async function answerRequest(
  host: PeerRequestHost,
  from: NodeId,
  body: Uint8Array,
  budgetMs: number,
): Promise<Uint8Array> {
  try {
    return await answer(host, from, body, budgetMs);
  } catch (cause) {
    // What can't be read is the peer's fault, or its version's.
    const level = cause instanceof CodecError ? "warn" : "error";
    host.log.log(level, "peer request failed", { from, error: String(cause) });
    return encodePlainAnswer(failure("internal", "unknown", "the peer failed to handle it"));
  }
}

async function answer(
  host: PeerRequestHost,
  from: NodeId,
  body: Uint8Array,
  budgetMs: number,
): Promise<Uint8Array> {
  const { kind, reader } = openRequest(body);
  const startedMs = host.clock.monotonicMs();
  const deadlineMs = startedMs + budgetMs;
  const tellIfSlow = (
    operation: string,
    partition: PartitionId,
    index: LogIndex | "read" | undefined,
  ) => {
    const { slowRequests, clock } = host;
    if (!slowRequests.isSlow(clock.monotonicMs() - startedMs)) return;
    slowRequests.tell({ operation, from, partition, index, startedMs });
  };
  const { hosting } = host;
  if (hosting === undefined) return encodePlainAnswer(NOT_LEADER);
  switch (kind) {
    case RequestKind.Write: {
      const partition = reader.u32();
      const hosted = hosting.data(partition);
      if (hosted === undefined || !hosted.replica.isLeader) return notLeader(host, partition);
      if (host.diskLow) {
        return encodePlainAnswer(failure("disk-full", "none", "the leader's disk is almost full"));
      }
      const envelope = reader.raw(reader.remaining);
      if (!isEnvelope(envelope)) {
        return encodePlainAnswer(failure("conflict", "none", "what was forwarded is no command"));
      }
      const written = await new Promise<WriteAnswer | Failure>((settle) =>
        hosted.data.write(envelope, deadlineMs, settle)
      );
      tellIfSlow("peer write", partition, written.ok ? written.applied.appliedIndex : undefined);
      return encodeWriteAnswer(written);
    }
    case RequestKind.Read: {
      const partition = reader.u32();
      const hosted = hosting.data(partition);
      if (hosted === undefined || !hosted.replica.isLeader) return notLeader(host, partition);
      const key = reader.latin1(reader.remaining);
      const read = await new Promise<ReadAnswer | Failure>((settle) =>
        hosted.data.read(key, deadlineMs, settle)
      );
      tellIfSlow("peer read", partition, "read");
      return encodeReadAnswer(read);
    }
    case RequestKind.Page: {
      const partition = reader.u32();
      const hosted = hosting.data(partition);
      if (hosted === undefined || !hosted.replica.isLeader) return notLeader(host, partition);
      const query = readPageRequest(reader);
      const page = await new Promise<PageAnswer | Failure>((settle) =>
        hosted.data.page(query, deadlineMs, settle)
      );
      tellIfSlow("peer page", partition, "read");
      return encodePageAnswer(page);
    }
    case RequestKind.Events: {
      const hosted = hosting.data(reader.u32());
      if (hosted === undefined) return encodePlainAnswer(NOT_LEADER);
      const { waitMs, ...query } = readEventsRequest(reader);
      return encodeEventsAnswer(
        await eventsForPeer(hosted, query, Math.min(waitMs, budgetMs), host.clock),
      );
    }
    case RequestKind.Meta:
      return encodePlainAnswer(
        await host.proposeMetaHere(reader.raw(reader.remaining), budgetMs),
      );
    case RequestKind.SnapshotWanted: {
      const hosted = hosting.get(reader.u32());
      if (hosted !== undefined && hosted.kind !== "suspect") {
        hosted.replica.sendLatestSnapshot(reader.integer());
      }
      return encodePlainAnswer({ ok: true });
    }
    case RequestKind.Transfer: {
      const partition = reader.u32();
      return encodePlainAnswer(host.transferHere(partition, reader.latin1(reader.remaining)));
    }
    case RequestKind.Leads:
      return encodePlainAnswer({ leads: ledHere(hosting) });
    case RequestKind.Report:
      return encodePlainAnswer(host.report(reader.f64(), reader.f64()));
    case RequestKind.Suspect:
      host.steward?.reportSuspect(reader.u32(), reader.integer());
      return encodePlainAnswer({ ok: true });
  }
}

function notLeader(host: PeerRequestHost, partition: PartitionId): Uint8Array {
  return encodePlainAnswer({ ...NOT_LEADER, leaderNodeId: host.leaderOf(partition) });
}

/** Once in the log, what is none would end every replica that applies it, again at each start. */
function isEnvelope(bytes: Uint8Array): boolean {
  try {
    decodeEnvelope(bytes);
    return true;
  } catch (cause) {
    if (cause instanceof CodecError) return false;
    throw cause;
  }
}
