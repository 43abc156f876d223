// GET /metrics in Prometheus' text format, by prom-client. Names and units follow its conventions: base
// units, `_total` for what only grows. scripts/grafana holds a dashboard and alert rules of these names.

import { type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import { DURATION_BOUNDS_SECONDS, type DurationHistogram } from "../base/histogram.ts";
import { OPERATIONS, type PartitionFigures } from "../node/meters.ts";
import { DOOR_REFUSALS } from "./access/mod.ts";
import type { NodeService } from "../node/service.ts";

type Labels = Record<string, string>;
type Kind = "gauge" | "counter" | "histogram";
type Sample = MetricValue<string>;

/** One family whose samples are made when they are asked for. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  readonly samples: () => Sample[];
}

function sample(name: string, value: number, labels: Labels = {}): Sample {
  return { metricName: name, value, labels } as Sample;
}

/** The samples of one histogram: cumulative buckets, sum and count. */
function histogramSamples(name: string, histogram: DurationHistogram, labels: Labels): Sample[] {
  let below = 0;
  const buckets = DURATION_BOUNDS_SECONDS.map((bound, i) => {
    below += histogram.counts[i];
    return sample(`${name}_bucket`, below, { ...labels, le: String(bound) });
  });
  return [
    ...buckets,
    sample(`${name}_bucket`, histogram.count, { ...labels, le: "+Inf" }),
    sample(`${name}_sum`, histogram.sumSeconds, labels),
    sample(`${name}_count`, histogram.count, labels),
  ];
}

function families(service: NodeService): Family[] {
  const list: Family[] = [];
  const { meters } = service;
  const add = (kind: Kind, name: string, help: string, samples: () => Sample[]) => {
    list.push({ name: `pontoon_${name}`, help, kind, samples });
  };
  const single = (kind: Kind, name: string, help: string, value: () => number) =>
    add(kind, name, help, () => [sample(`pontoon_${name}`, value())]);
  const view = service.cluster();
  const figures = service.figures();

  add(
    "histogram",
    "request_duration_seconds",
    "From a request's arrival to its answer.",
    () =>
      OPERATIONS.flatMap((operation) =>
        histogramSamples("pontoon_request_duration_seconds", meters.requests[operation], {
          operation,
        })
      ),
  );
  add(
    "counter",
    "answers_total",
    "Answers by operation and HTTP status.",
    () =>
      [...meters.answers].map(([key, count]) => {
        const [operation, status] = key.split(" ");
        return sample("pontoon_answers_total", count, { operation, status });
      }),
  );
  add(
    "counter",
    "refused_total",
    "Requests turned away before any route saw them: no or a wrong token, not enough rights, too many, another Host.",
    () =>
      DOOR_REFUSALS.map((reason) =>
        sample("pontoon_refused_total", meters.turnedAway.get(reason) ?? 0, { reason })
      ),
  );
  const timed = (name: string, help: string, histogram: DurationHistogram) =>
    add("histogram", name, help, () => histogramSamples(`pontoon_${name}`, histogram, {}));
  timed("log_sync_duration_seconds", "One batch's way to the disk.", meters.sync);
  timed("apply_duration_seconds", "Applying what one step of a group committed.", meters.apply);
  timed(
    "read_index_duration_seconds",
    "A round of ReadIndex: from asking the group to its quorum's word.",
    meters.readIndex,
  );
  timed(
    "election_duration_seconds",
    "From losing sight of a partition's leader to knowing one again.",
    meters.election,
  );
  timed("snapshot_duration_seconds", "Writing one snapshot.", meters.snapshot);
  single(
    "counter",
    "elections_won_total",
    "Times that a replica here became leader.",
    () => meters.electionsWon,
  );
  single(
    "gauge",
    "requests_in_flight",
    "Requests that wait for their outcome.",
    () => figures.requestsInFlight,
  );
  single("gauge", "watchers", "Event streams that are open.", () => meters.watchers);
  single("gauge", "log_bytes", "Length of the write-ahead log.", () => figures.logBytes);
  single(
    "gauge",
    "disk_free_bytes",
    "Free space of the data directory.",
    () => figures.diskFreeBytes,
  );
  single(
    "gauge",
    "disk_low",
    "1 while writes are refused for lack of space.",
    () => figures.diskLow ? 1 : 0,
  );
  single("gauge", "map_epoch", "Epoch of the map that this node has applied.", () => view.epoch);
  single("gauge", "members", "Members of the cluster by the map.", () => view.members.length);
  single(
    "gauge",
    "members_unreachable",
    "Members that this node has no link with.",
    () => view.members.filter(({ reachable }) => !reachable).length,
  );
  single(
    "gauge",
    "moves",
    "Changes of voters under way, as this node knows.",
    () => view.moves.length,
  );
  addLinks(add, figures.links);
  addPartitions(add, view);
  addReplicas(add, figures.partitions);
  return list;
}

type Add = (kind: Kind, name: string, help: string, samples: () => Sample[]) => void;

function addLinks(add: Add, links: ReturnType<NodeService["figures"]>["links"]): void {
  type Link = typeof links[number];
  const each = (kind: Kind, name: string, help: string, value: (link: Link) => number | null) =>
    add(kind, name, help, () =>
      links.flatMap((link) => {
        const found = value(link);
        return found === null ? [] : [sample(`pontoon_${name}`, found, { peer: link.to })];
      }));
  each("gauge", "link_up", "1 while the link to the peer stands.", ({ up }) => up ? 1 : 0);
  each("gauge", "link_queued_bytes", "Bytes that wait to be sent.", (link) => link.queuedBytes);
  each("counter", "link_sent_bytes_total", "Bytes sent to the peer.", (link) => link.writtenBytes);
  each("counter", "link_received_bytes_total", "Bytes from the peer.", (link) => link.readBytes);
  each(
    "counter",
    "link_dropped_messages_total",
    "Raft messages dropped because the queue was full.",
    (link) => link.droppedMessages,
  );
  each(
    "gauge",
    "link_round_trip_seconds",
    "Round trip to the peer.",
    ({ roundTripMs }) => roundTripMs === null ? null : roundTripMs / 1000,
  );
  each(
    "gauge",
    "clock_offset_seconds",
    "The peer's wall clock minus ours.",
    ({ wallOffsetMs }) => wallOffsetMs === null ? null : wallOffsetMs / 1000,
  );
}

function addPartitions(add: Add, view: ReturnType<NodeService["cluster"]>): void {
  type Partition = typeof view.partitions[number];
  const each = (name: string, help: string, value: (one: Partition) => number | undefined) =>
    add("gauge", name, help, () =>
      view.partitions.flatMap((one) => {
        const found = value(one);
        if (found === undefined) return [];
        return [sample(`pontoon_${name}`, found, { partition: String(one.partition) })];
      }));
  each(
    "partition_leader",
    "1 if this node leads the partition.",
    ({ leaderNodeId }) => leaderNodeId === view.nodeId ? 1 : 0,
  );
  each("partition_term", "The group's term.", ({ term }) => term);
  each("partition_commit_index", "Committed up to here.", ({ commitIndex }) => commitIndex);
  each("partition_applied_index", "Applied up to here.", ({ appliedIndex }) => appliedIndex);
  each("partition_lag_entries", "Entries that the slowest replica lacks; on leaders.", (one) => {
    const lags = one.replicas.flatMap(({ lag }) => lag === undefined ? [] : [lag]);
    return lags.length === 0 ? undefined : Math.max(...lags);
  });
  each(
    "partition_healthy",
    "1 if the replica here is whole and has a leader.",
    ({ health }) => health === "ok" ? 1 : 0,
  );
  each("partition_asleep", "1 while the group sleeps.", ({ asleep }) => asleep ? 1 : 0);
  each("partition_keys", "Keys held, expired ones not yet reaped included.", ({ keys }) => keys);
  each("partition_log_bytes", "Log since the last snapshot.", ({ logBytes }) => logBytes);
  each(
    "partition_snapshot_bytes",
    "Size of the last snapshot.",
    ({ snapshotBytes }) => snapshotBytes,
  );
}

function addReplicas(add: Add, partitions: readonly PartitionFigures[]): void {
  const each = (name: string, help: string, value: (one: PartitionFigures) => number) =>
    add(
      "gauge",
      name,
      help,
      () =>
        partitions.map((one) =>
          sample(`pontoon_${name}`, value(one), { partition: String(one.partition) })
        ),
    );
  each("partition_sessions", "Clients' sessions that are remembered.", (one) => one.sessions);
  each(
    "partition_remembered_outcomes",
    "Outcomes of writes kept for retries.",
    (one) => one.rememberedOutcomes,
  );
  each(
    "partition_remembered_bytes",
    "What these outcomes take.",
    (one) => one.rememberedBytes,
  );
  each(
    "partition_watch_history_bytes",
    "Events that watchers may still resume from.",
    (one) => one.historyBytes,
  );
  each("partition_proposals", "Writes whose outcome is open.", (one) => one.proposals);
  each("partition_reads", "Reads that wait for their quorum or for the state.", (one) => one.reads);
}

/** Content type and text of the node's metrics now. */
export async function metricsDocument(
  service: NodeService,
): Promise<{ contentType: string; text: string }> {
  const registry = new Registry();
  for (const { name, help, kind, samples } of families(service)) {
    const get = () => Promise.resolve(describe(name, help, kind, samples()));
    // The registry asks a metric for its name and its values, and for nothing else.
    registry.registerMetric({ name, help, get } as never);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function describe(
  name: string,
  help: string,
  type: Kind,
  values: Sample[],
): MetricObjectWithValues<Sample> {
  return { name, help, type, values, aggregator: "sum" } as unknown as MetricObjectWithValues<
    Sample
  >;
}
