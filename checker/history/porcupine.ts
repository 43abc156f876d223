// Reads the two log formats in Porcupine's test data: etcd's Jepsen log (a tab-separated event a line)
// and the key-value logs (an EDN map a line).

import { EdnReader } from "./edn.ts";
import { eventFrom } from "./events.ts";
import { HistoryError, type HistoryEvent, type Json } from "./types.ts";

const LOG_LINE = /^[A-Z]+\s+([\w.$-]+)\s+-\s?(.*)$/;
const EVENT = /^(\S+)\t:(invoke|ok|fail|info)\t:(\w[\w-]*)(?:\t(.*?))?(?:\t.*)?$/;

/** Events of `INFO  jepsen.util - PROCESS<tab>:type<tab>:f<tab>value` lines. */
export function* porcupineEtcdEvents(text: string): Generator<HistoryEvent> {
  let number = 0;
  for (const raw of text.split("\n")) {
    number++;
    const line = raw.trimEnd();
    if (line === "") continue;
    const log = LOG_LINE.exec(line);
    if (log === null) {
      throw new HistoryError(
        'expected "INFO  jepsen.util - PROCESS<tab>:type<tab>:f<tab>value"',
        number,
      );
    }
    // Only Jepsen's event logger writes events; other loggers share the file.
    if (log[1] !== "jepsen.util") continue;
    const match = EVENT.exec(log[2]!);
    if (match === null) {
      throw new HistoryError(`not an event: ${JSON.stringify(log[2])}`, number);
    }
    const [, process, type, f, value] = match;
    yield eventFrom(
      {
        process: /^\d+$/.test(process!) ? Number(process) : process!.replace(/^:/, ""),
        type: type!,
        f: f!,
        ...(type === "info" ? {} : { value: valueOf(value, number) }),
      },
      number,
    );
  }
}

function valueOf(text: string | undefined, line: number): Json {
  if (text === undefined || text === "") throw new HistoryError("the value is missing", line);
  const reader = new EdnReader(text, line);
  const form = reader.next();
  if (form === undefined || reader.next() !== undefined) {
    throw new HistoryError(`"${text}" is not one value`, line);
  }
  return form.value;
}

/** Events of `{:process P, :type :invoke, :f :get, :key "k", :value nil}` lines. */
export function* porcupineKvEvents(text: string): Generator<HistoryEvent> {
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line.trim() === "") continue;
    const reader = new EdnReader(line, number);
    const form = reader.next();
    if (form === undefined) continue;
    if (reader.next() !== undefined) {
      throw new HistoryError("more than one map on the line", number);
    }
    yield eventFrom(form.value, number);
  }
}
