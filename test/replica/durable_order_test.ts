// The core hears of its log orders in their order, however long one of them takes.

import { assertEquals } from "@std/assert";
import { type Message, MessageType, newMessage } from "../../src/raft/mod.ts";
import { DurableOrder } from "../../src/replica/durable_order.ts";

function rig() {
  const delivered: number[] = [];
  const order = new DurableOrder((responses) => {
    for (const { index } of responses) delivered.push(index);
  });
  const at = (index: number): Message[] => {
    const message = newMessage(MessageType.AppendResponse, 1, 2);
    message.index = index;
    return [message];
  };
  return { delivered, order, at };
}

Deno.test("what is durable is told at once while nothing is being restored", () => {
  const { delivered, order, at } = rig();
  order.done(at(1));
  order.done(at(2));
  assertEquals(delivered, [1, 2]);
});

Deno.test("entries behind a snapshot are told of when its state is loaded, and not before", () => {
  const { delivered, order, at } = rig();
  const loaded = order.begin(at(10));
  order.done(at(11));
  order.done(at(12));
  assertEquals(delivered, []);
  loaded();
  assertEquals(delivered, [10, 11, 12]);
  order.done(at(13));
  assertEquals(delivered, [10, 11, 12, 13]);
});

Deno.test("two snapshots in quick succession keep their order, whichever is loaded first", () => {
  const { delivered, order, at } = rig();
  const first = order.begin(at(10));
  order.done(at(11));
  const second = order.begin(at(20));
  order.done(at(21));
  second();
  assertEquals(delivered, []);
  first();
  assertEquals(delivered, [10, 11, 20, 21]);
});
