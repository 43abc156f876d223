// Request bodies: how much is read, how long is waited, what happens when they break off.

import { assert, assertEquals } from "@std/assert";
import { Api, assertProblem, BODY_IDLE_MS, rawRequest, readAnswer } from "./harness.ts";

const CHUNK_BYTES = 1024;

/** A body that hands out chunks for ever, and counts them. */
class EndlessBody {
  chunksSent = 0;
  cancelled = false;
  readonly stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      this.chunksSent++;
      controller.enqueue(new Uint8Array(CHUNK_BYTES));
    },
    cancel: () => {
      this.cancelled = true;
    },
  }, { highWaterMark: 0 });
}

/** A body that is fed by hand. */
function fedBody() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
  });
  return { stream, controller };
}

Deno.test("a declared length beyond the limit is refused before anything is read", async () => {
  const api = new Api();
  api.node.valueSizeBytesMax = 10 * CHUNK_BYTES;
  const body = new EndlessBody();
  const answer = await api.call("PUT", "/key/a", {
    body: body.stream,
    headers: { "content-length": String(10 * CHUNK_BYTES + 1) },
  });
  assertProblem(answer, "value-too-large", String(10 * CHUNK_BYTES));
  assertEquals([answer.status, body.chunksSent], [413, 0]);
});

Deno.test("an endless body is read to the limit and one chunk", async () => {
  const api = new Api();
  api.node.valueSizeBytesMax = 10 * CHUNK_BYTES;
  const body = new EndlessBody();
  const answer = await api.call("PUT", "/key/a", { body: body.stream });
  assertProblem(answer, "value-too-large");
  assertEquals([answer.status, body.chunksSent, body.cancelled], [413, 11, true]);
  assertEquals(api.node.writes.length, 0);
});

Deno.test("a value of exactly the limit is taken, however it comes", async () => {
  for (const sizeBytes of [0, 1, 1000, 64 * 1024, 64 * 1024 + 1, 1024 * 1024]) {
    const value = new Uint8Array(sizeBytes).fill(7);
    for (const declared of [true, false]) {
      const api = new Api();
      api.node.valueSizeBytesMax = sizeBytes;
      const headers: HeadersInit = declared ? { "content-length": String(sizeBytes) } : {};
      assertEquals((await api.put("/key/a", value, headers)).status, 201);
      const [{ command }] = api.node.writes;
      assert(command.kind === "put");
      assertEquals(command.value, value);
      api.node.valueSizeBytesMax = sizeBytes - 1;
      const refused = await api.put("/key/a", value, headers);
      assertEquals([sizeBytes, refused.status], [sizeBytes, 413]);
    }
  }
});

Deno.test("a put without a body stores nothing but a key", async () => {
  const api = new Api();
  assertEquals((await api.call("PUT", "/key/a")).status, 201);
  assertEquals((await api.get("/key/a")).json.value, "");
});

Deno.test("Content-Encoding is refused", async () => {
  const api = new Api();
  for (const coding of ["gzip", "br", "deflate, gzip"]) {
    const answer = await api.put("/key/a", "v", { "content-encoding": coding });
    assertProblem(answer, "unsupported-media-type", coding);
    assertEquals(answer.status, 415);
  }
  assertEquals((await api.put("/key/a", "v", { "content-encoding": "identity" })).status, 201);
});

Deno.test("a body that stalls is given up after the idle time", async () => {
  for (const declared of [true, false]) {
    const api = new Api();
    const { stream, controller } = fedBody();
    const headers: HeadersInit = declared ? { "content-length": "100" } : {};
    const answered = Promise.resolve(
      api.app.fetch(rawRequest("PUT", "/key/a", { body: stream, headers })),
    );
    controller.enqueue(new Uint8Array(3));
    let settled = false;
    answered.then(() => settled = true);
    await api.scheduler.runFor(BODY_IDLE_MS - 1);
    assertEquals(settled, false);
    const answer = await readAnswer(await api.scheduler.settle(answered, BODY_IDLE_MS));
    assertProblem(answer, "body-timeout");
    assertEquals([answer.status, answer.json.outcome], [408, "none"]);
    assertEquals(answer.headers.get("connection"), "close");
    assertEquals(api.node.writes.length, 0);
  }
});

Deno.test("a slow body is taken as long as it moves", async () => {
  const api = new Api();
  const { stream, controller } = fedBody();
  const answered = Promise.resolve(api.app.fetch(rawRequest("PUT", "/key/a", { body: stream })));
  for (let i = 0; i < 20; i++) {
    controller.enqueue(new Uint8Array([65 + i]));
    await api.scheduler.runFor(BODY_IDLE_MS * 0.7);
  }
  controller.close();
  const answer = await readAnswer(await api.scheduler.settle(answered));
  assertEquals(answer.status, 201);
  assertEquals((await api.get("/key/a")).json.value, "ABCDEFGHIJKLMNOPQRST");
});

Deno.test("a body that breaks off is no fault of the node", async () => {
  for (const headers of [{ "content-length": "100" }, {}] as HeadersInit[]) {
    const api = new Api();
    const { stream, controller } = fedBody();
    const answered = api.app.fetch(rawRequest("PUT", "/key/a", { body: stream, headers }));
    controller.enqueue(new Uint8Array(3));
    controller.error(new Error("connection reset"));
    const answer = await readAnswer(await answered);
    assertProblem(answer, "body-incomplete", "connection reset");
    assertEquals([answer.status, answer.json.outcome], [400, "none"]);
    assertEquals(api.logged, []);
    assertEquals(api.node.writes.length, 0);
  }
});
