/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The key browser: keys behind a prefix, page by page, each to be looked at, changed and deleted. Everything follows
// what others do meanwhile; nothing is written but on top of the revision that was shown.

import { useEffect, useRef, useState } from "hono/jsx/dom";
import { duration } from "../words.ts";
import { FRESH_MS, type KeyChange, KeyList, type ListedKey } from "./key_list.ts";
import { KeyViewer } from "./key_viewer.tsx";
import { Section } from "./ui.tsx";
import { keyLabel, type KeyName, sameKey } from "./values.ts";

const TYPING_PAUSE_MS = 200;

/** What is left of a time to live; undefined if it has none. */
export function ttlLeftMs({ ttlMs, seenMs }: Pick<ListedKey, "ttlMs" | "seenMs">, nowMs: number) {
  return ttlMs === undefined ? undefined : Math.max(0, ttlMs - (nowMs - seenMs));
}

function shortType(contentType: string): string {
  const name = contentType.split(";")[0];
  return { "application/json": "json", "text/plain": "text", "application/octet-stream": "bytes" }[
    name
  ] ?? name;
}

export function Keys() {
  const [, redraw] = useState(0);
  const [prefix, setPrefix] = useState("");
  const [selected, setSelected] = useState<KeyName | undefined>(undefined);
  const [creating, setCreating] = useState(false);
  const change = useRef<KeyChange | undefined>(undefined);
  const list = useRef<KeyList | null>(null);
  const typing = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  if (list.current === null) {
    const again = () => redraw((count: number) => count + 1);
    list.current = new KeyList(again, (one) => change.current = one);
  }
  const keys = list.current;
  useEffect(() => {
    keys.open("");
    // Times to live run down, and marks of change fade.
    const clock = setInterval(() => redraw((count: number) => count + 1), 1000);
    return () => {
      clearInterval(clock);
      keys.close();
    };
  }, []);
  const type = (text: string) => {
    setPrefix(text);
    clearTimeout(typing.current);
    typing.current = setTimeout(() => keys.open(text), TYPING_PAUSE_MS);
  };
  const nowMs = Date.now();
  return (
    <Section
      id="keys"
      title="Keys"
      note="Whatever begins with the prefix, in byte order; the list follows what happens to it"
      side={
        <button
          type="button"
          onClick={() => {
            setSelected(undefined);
            setCreating(true);
          }}
        >
          New key…
        </button>
      }
    >
      <div class="keys">
        <div class="card key-list">
          <div class="bar">
            <input
              id="prefix"
              type="search"
              placeholder="Prefix, such as user/"
              aria-label="Prefix"
              value={prefix}
              spellcheck={false}
              autocomplete="off"
              onInput={(event: Event) => type((event.target as HTMLInputElement).value)}
            />
            <span class={`watch${keys.watching ? " on" : ""}`} title="Changes are followed">
              <i />
              {keys.watching ? "live" : keys.loading ? "loading" : "not live"}
            </span>
          </div>
          {keys.error === "" ? null : <p class="failure" role="alert">{keys.error}</p>}
          <ul onKeyDown={walkList}>
            {keys.keys.map((record) => {
              const left = ttlLeftMs(record, nowMs);
              const isFresh = record.changedMs !== undefined && nowMs - record.changedMs < FRESH_MS;
              return (
                <li key={keyLabel(record)}>
                  <button
                    type="button"
                    class={isFresh ? "fresh" : ""}
                    aria-current={String(selected !== undefined && sameKey(selected, record))}
                    onClick={() => {
                      setCreating(false);
                      setSelected({ key: record.key, key64: record.key64 });
                    }}
                  >
                    <span class="key">{keyLabel(record)}</span>
                    {left === undefined ? null : <span class="ttl">{duration(left)}</span>}
                    <span class="type">{shortType(record.contentType)}</span>
                    <span class="revision">{record.revision}</span>
                  </button>
                </li>
              );
            })}
            {keys.keys.length === 0 && keys.error === "" && !keys.loading
              ? (
                <li class="empty">
                  {prefix === "" ? "There are no keys." : "No key begins like that."}
                </li>
              )
              : null}
          </ul>
          <div class="bar foot">
            <button type="button" disabled={keys.page === 1} onClick={() => keys.previous()}>
              ← Back
            </button>
            <span class="dim">page {keys.page}</span>
            <button type="button" disabled={!keys.hasNext} onClick={() => keys.next()}>
              Next →
            </button>
          </div>
        </div>
        <div class="card key-view">
          {creating || selected !== undefined
            ? (
              <KeyViewer
                key={creating ? "new" : `view ${keyLabel(selected!)}`}
                name={creating ? undefined : selected}
                lastChange={change.current}
                onCreated={(name) => {
                  setCreating(false);
                  setSelected(name);
                }}
                onGone={() => setSelected(undefined)}
              />
            )
            : <p class="empty">Choose a key to see its value.</p>}
        </div>
      </div>
    </Section>
  );
}

function walkList(event: KeyboardEvent): void {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const item = (event.target as HTMLElement).closest("li");
  if (step === undefined || item === null) return;
  event.preventDefault();
  const next = step < 0 ? item.previousElementSibling : item.nextElementSibling;
  next?.querySelector("button")?.focus();
}
