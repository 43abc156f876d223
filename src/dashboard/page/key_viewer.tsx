/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// One key: its value as JSON, text or bytes, its revision and time to live; editing and deleting on top of the
// revision shown. A write that finds another revision changes nothing and says so.

import { useEffect, useRef, useState } from "hono/jsx/dom";
import { bytes as bytesText, duration, number } from "../words.ts";
import { ApiError, call, callJson, errorText } from "./client.ts";
import type { KeyChange } from "./key_list.ts";
import { Fact } from "./partition_map.tsx";
import {
  formOf,
  HEX_SHOWN_BYTES,
  hexDump,
  keyLabel,
  type KeyName,
  type KeyRecord,
  keyTarget,
  prettyJson,
  sameKey,
  textOrUndefined,
  type ValueForm,
} from "./values.ts";

const TYPES: readonly string[] = ["text/plain; charset=utf-8", "application/json"];
/** Tries to read value and description at one revision. */
const READS_MAX = 4;

interface Shown {
  readonly record: KeyRecord;
  readonly bytes: Uint8Array;
  readonly text: string | undefined;
  readonly form: ValueForm;
  readonly seenMs: number;
}

/** Undefined if there is no such key. */
async function readKey(name: KeyName): Promise<Shown | undefined> {
  try {
    for (let i = 0; i < READS_MAX; i++) {
      const record = await callJson<KeyRecord>(keyTarget(name));
      const seenMs = Date.now();
      // The bytes as they are: what JSON passes through a parser does not always come out the same.
      const raw = await call(keyTarget(name, { raw: "" }));
      const bytes = new Uint8Array(await raw.arrayBuffer());
      if (raw.headers.get("etag") !== `"${record.revision}"`) continue;
      const text = textOrUndefined(bytes);
      return { record, bytes, text, form: formOf(record.contentType, text), seenMs };
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
  throw new Error("The key changes too quickly to be shown");
}

function editable({ form, text }: Shown): string {
  if (text === undefined) return "";
  return form === "json" ? prettyJson(text) : text;
}

interface Draft {
  readonly key: string;
  readonly text: string;
  readonly contentType: string;
  /** Seconds; empty for none. */
  readonly ttl: string;
  /** The revision it is made on top of; 0: there must be no such key. */
  readonly revision: number;
}

interface Props {
  /** Undefined: a new one. */
  readonly name: KeyName | undefined;
  /** What was last seen to happen to any key. */
  readonly lastChange: KeyChange | undefined;
  readonly onCreated: (name: KeyName) => void;
  readonly onGone: () => void;
}

const NEW: Draft = { key: "", text: "", contentType: TYPES[0], ttl: "", revision: 0 };

export function KeyViewer({ name, lastChange, onCreated, onGone }: Props) {
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [draft, setDraft] = useState<Draft | undefined>(name === undefined ? NEW : undefined);
  const [failure, setFailure] = useState("");
  /** The revision that stood in the way of a write; 0: the key is gone. */
  const [conflict, setConflict] = useState<number | undefined>(undefined);
  const [gone, setGone] = useState(false);
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const handled = useRef(lastChange);
  const load = async () => {
    if (name === undefined) return;
    try {
      const found = await readKey(name);
      setFailure("");
      setGone(found === undefined);
      if (found !== undefined) setShown(found);
    } catch (error) {
      setFailure(errorText(error));
    }
  };
  useEffect(() => void load(), []);
  useEffect(() => {
    if (lastChange === handled.current || lastChange === undefined || name === undefined) return;
    handled.current = lastChange;
    if (!sameKey(lastChange.record, name)) return;
    if (lastChange.kind === "put") load();
    else setGone(true);
  }, [lastChange]);

  /** Runs a write; a failed condition is a conflict. */
  const write = async (send: () => Promise<unknown>, done: () => void) => {
    setBusy(true);
    setFailure("");
    try {
      await send();
      setConflict(undefined);
      done();
    } catch (error) {
      if (error instanceof ApiError && error.code === "condition-failed") {
        setConflict(Number(error.members.revision ?? 0));
        load();
      } else setFailure(errorText(error));
    }
    setBusy(false);
  };
  const save = (onTop: number) => {
    const { key, text, contentType, ttl } = draft!;
    const target = name ?? { key };
    return write(
      () =>
        call(keyTarget(target, ttl === "" ? {} : { ttl }), {
          method: "PUT",
          headers: {
            "content-type": contentType,
            ...(onTop === 0 ? { "if-none-match": "*" } : { "if-match": `"${onTop}"` }),
          },
          body: text,
        }),
      () => {
        if (name === undefined) return onCreated(target);
        setDraft(undefined);
        load();
      },
    );
  };
  const remove = () =>
    write(
      () =>
        call(keyTarget(name!), {
          method: "DELETE",
          headers: { "if-match": `"${shown!.record.revision}"` },
        }),
      onGone,
    ).then(() => setAsking(false));

  const leftMs = shown?.record.ttlMs === undefined
    ? undefined
    : Math.max(0, shown.record.ttlMs - (Date.now() - shown.seenMs));
  const edit = () => {
    setConflict(undefined);
    setDraft({
      key: "",
      text: editable(shown!),
      contentType: shown!.record.contentType,
      ttl: leftMs === undefined ? "" : String(Math.max(1, Math.ceil(leftMs / 1000))),
      revision: shown!.record.revision,
    });
  };
  const set = (part: Partial<Draft>) => setDraft({ ...draft!, ...part });
  return (
    <div class="viewer">
      <header>
        {name === undefined
          ? (
            <input
              class="key"
              placeholder="Key"
              aria-label="Key"
              value={draft?.key ?? ""}
              spellcheck={false}
              onInput={(event: Event) => set({ key: (event.target as HTMLInputElement).value })}
            />
          )
          : <h3 class="key">{keyLabel(name)}</h3>}
      </header>
      {gone && conflict === undefined
        ? (
          <p class="notice" role="alert">
            This key is not there any more: it was deleted, or it expired.
          </p>
        )
        : null}
      {shown === undefined ? null : (
        <dl class="facts">
          <Fact name="Revision" value={String(shown.record.revision)} />
          <Fact name="First revision" value={String(shown.record.createRevision)} />
          <Fact name="Size" value={bytesText(shown.bytes.length)} />
          <Fact name="Type" value={shown.record.contentType} />
          <Fact name="Time to live" value={leftMs === undefined ? "for ever" : duration(leftMs)} />
        </dl>
      )}
      {conflict === undefined ? null : (
        <Conflict
          mine={draft?.revision ?? shown?.record.revision ?? 0}
          theirs={conflict}
          isEdit={draft !== undefined}
          busy={busy}
          onTheirs={() => {
            setConflict(undefined);
            if (name !== undefined) setDraft(undefined);
            load();
          }}
          onMine={() => {
            set({ revision: conflict });
            save(conflict);
          }}
        />
      )}
      {failure === "" ? null : <p class="failure" role="alert">{failure}</p>}
      {draft === undefined
        ? <Value shown={shown} />
        : <Editor draft={draft} isNew={name === undefined} set={set} />}
      {draft !== undefined
        ? (
          <div class="actions">
            {shown !== undefined && shown.record.revision !== draft.revision &&
                conflict === undefined
              ? (
                <span class="notice inline">
                  Changed meanwhile, to revision {shown.record.revision}.
                </span>
              )
              : null}
            <button
              type="button"
              onClick={() => name === undefined ? onGone() : setDraft(undefined)}
            >
              Cancel
            </button>
            <button
              type="button"
              class="primary"
              disabled={busy || (name === undefined && draft.key === "")}
              onClick={() => save(draft.revision)}
            >
              {draft.revision === 0 ? "Create" : `Save on top of revision ${draft.revision}`}
            </button>
          </div>
        )
        : shown === undefined || gone
        ? null
        : asking
        ? (
          <div class="actions">
            <span>Delete it at revision {shown.record.revision}? It can’t be brought back.</span>
            <button type="button" onClick={() => setAsking(false)}>Keep it</button>
            <button type="button" class="danger" disabled={busy} onClick={remove}>Delete</button>
          </div>
        )
        : (
          <div class="actions">
            <button type="button" class="danger-text" onClick={() => setAsking(true)}>
              Delete…
            </button>
            {shown.form === "bytes"
              ? null
              : <button type="button" class="primary" onClick={edit}>Edit</button>}
          </div>
        )}
    </div>
  );
}

function Conflict(
  props: {
    mine: number;
    theirs: number;
    isEdit: boolean;
    busy: boolean;
    onTheirs: () => void;
    onMine: () => void;
  },
) {
  const { mine, theirs, isEdit } = props;
  const what = mine === 0
    ? `The key is there already, at revision ${theirs}.`
    : theirs === 0
    ? `Somebody deleted the key; it was at revision ${mine}.`
    : `Somebody changed the key meanwhile: from revision ${mine} to ${theirs}.`;
  return (
    <div class="conflict" role="alert">
      <p>
        <b>{what}</b> Nothing was written.
      </p>
      <div class="actions">
        <button type="button" onClick={props.onTheirs}>Show what is there</button>
        {isEdit
          ? (
            <button type="button" disabled={props.busy} onClick={props.onMine}>
              {theirs === 0 ? "Create it with mine" : `Write mine on top of ${theirs}`}
            </button>
          )
          : null}
      </div>
    </div>
  );
}

function Value({ shown }: { shown: Shown | undefined }) {
  if (shown === undefined) return <p class="empty">Reading…</p>;
  const { form, bytes, text } = shown;
  if (bytes.length === 0) return <p class="empty">The value is empty.</p>;
  if (form === "bytes") {
    return (
      <div>
        <pre class="value hex">{hexDump(bytes)}</pre>
        {bytes.length > HEX_SHOWN_BYTES
          ? <p class="dim">The first {number(HEX_SHOWN_BYTES)} of {number(bytes.length)} bytes.</p>
          : null}
      </div>
    );
  }
  return <pre class={`value ${form}`}>{form === "json" ? prettyJson(text!) : text}</pre>;
}

function Editor(
  { draft, isNew, set }: { draft: Draft; isNew: boolean; set: (part: Partial<Draft>) => void },
) {
  return (
    <div class="editor">
      <textarea
        aria-label="Value"
        value={draft.text}
        spellcheck={false}
        autofocus={!isNew}
        onInput={(event: Event) => set({ text: (event.target as HTMLTextAreaElement).value })}
      />
      <div class="fields">
        <label>
          Type
          {isNew
            ? (
              <select
                value={draft.contentType}
                onChange={(event: Event) =>
                  set({ contentType: (event.target as HTMLSelectElement).value })}
              >
                {TYPES.map((type) => <option key={type} value={type}>{type}</option>)}
              </select>
            )
            : <span>{draft.contentType}</span>}
        </label>
        <label>
          Time to live, seconds
          <input
            inputmode="decimal"
            placeholder="for ever"
            value={draft.ttl}
            onInput={(event: Event) =>
              set({ ttl: (event.target as HTMLInputElement).value.trim() })}
          />
        </label>
      </div>
    </div>
  );
}
