// Reads of a replica's history that wait: what wakes them, and that a replica which is behind its watcher
// shows it nothing for the second time.

import { assertEquals } from "@std/assert";
import type { HostedData } from "../../src/node/group.ts";
import { WatchHub } from "../../src/node/watch_hub.ts";
import { LocalEvents } from "../../src/node/watch_source.ts";
import { Store, type WatchFilter, WHOLE_REVISION } from "../../src/store/mod.ts";

/** A replica that applies what it is told to. */
class Replica {
  readonly store = new Store();
  index = 0;
  serving = true;
  readonly hub = new WatchHub(this.store, () => this.index);
  readonly hosted = {
    data: { store: this.store, hub: this.hub, replica: this.#view() },
  } as unknown as HostedData;

  #view() {
    // deno-lint-ignore no-this-alias
    const self = this;
    return {
      group: 1,
      get serving() {
        return self.serving;
      },
    };
  }

  put(key: string): void {
    const value = new Uint8Array([1]);
    this.store.applyEnvelope(this.index + 1, {
      timeMs: 0,
      command: { kind: "put", key, value, contentType: "application/octet-stream" },
    });
    this.index++;
  }

  after(revision: number, filter: WatchFilter = { kind: "prefix", prefix: "" }): LocalEvents {
    return new LocalEvents(this.hosted, {
      position: { revision, subIndex: WHOLE_REVISION },
      filter,
    });
  }
}

async function found(pending: LocalEvents): Promise<string[] | string> {
  const answer = await pending.result;
  return answer.ok ? answer.events.map(({ key, revision }) => `${key}@${revision}`) : answer.code;
}

Deno.test("a wait ends with the changes of the turn that it waited for", async () => {
  const replica = new Replica();
  const pending = replica.after(0, { kind: "prefix", prefix: "a" });
  for (const key of ["b", "a1", "b", "a2"]) replica.put(key);
  assertEquals(await found(pending), ["a1@2", "a2@4"]);
});

Deno.test("a replica behind its watcher shows nothing for the second time", async () => {
  const replica = new Replica();
  replica.put("a");
  const pending = replica.after(3);
  for (const key of ["b", "c", "d", "e"]) replica.put(key);
  assertEquals(await found(pending), ["d@4", "e@5"]);
  const late = replica.after(6);
  replica.put("f");
  await Promise.resolve();
  replica.put("g");
  assertEquals(await found(late), ["g@7"]);
});

Deno.test("a wait says how far it has seen, and ends there when nudged", async () => {
  const replica = new Replica();
  const pending = replica.after(0, { kind: "key", key: "a" });
  assertEquals(pending.seen(), undefined);
  replica.put("b");
  assertEquals(pending.seen(), { revision: 1, subIndex: WHOLE_REVISION });
  pending.nudge();
  const answer = await pending.result;
  assertEquals(answer.ok && [answer.events.length, answer.position.revision], [0, 1]);
});

Deno.test("a wait ends when the replica goes, or its state is replaced", async () => {
  const replica = new Replica();
  const replaced = replica.after(0);
  replica.hub.replaced();
  assertEquals(await found(replaced), []);
  const closed = replica.after(0);
  replica.serving = false;
  replica.hub.close();
  assertEquals(await found(closed), "no-leader");
});

Deno.test("an ended wait leaves nothing behind", () => {
  const replica = new Replica();
  const waits = ["a", "b", "b"].map((prefix) => replica.after(0, { kind: "prefix", prefix }));
  for (const wait of waits) wait.cancel();
  let listened = 0;
  const { store } = replica;
  const listen = store.listen.bind(store);
  store.listen = (listener) => {
    listened++;
    listen(listener);
  };
  replica.put("a");
  assertEquals(listened, 0);
});
