import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, type RequestEvent } from "../src/connection.js";
import { SidestageError } from "../src/errors.js";
import type { FromWorker, ToWorker } from "../src/wire.js";

function connect(timeout?: number) {
  const sent: ToWorker[] = [];
  const failures: SidestageError[] = [];
  const connection = new Connection({
    post: (message) => sent.push(message),
    timeout,
    onFailed: (error) => failures.push(error),
  });
  return { connection, sent, failures };
}

const ask = (id: number): ToWorker => ({ type: "metrics", id, model: 1, profile: false });
const text = (id: number, value: string): FromWorker => ({
  type: "done",
  id,
  outcome: { kind: "text", text: value },
});
const delta = (id: number, value: string): FromWorker => ({
  type: "delta",
  id,
  text: value,
  reasoning: "",
  tokens: 1,
});
const refusal: FromWorker & { type: "error" } = {
  type: "error",
  id: null,
  error: { code: "X", message: "x", hint: null, detail: null },
};

test("ids rise over all connections, so that two on one port never meet", () => {
  const a = connect();
  const b = connect();
  const ids = [a, b, a, b].map(({ connection }) => {
    const open = connection.request(ask);
    open.done.catch(() => undefined);
    return open.id;
  });
  assert.deepEqual(
    ids,
    [...ids].sort((x, y) => x - y),
  );
  assert.equal(new Set(ids).size, ids.length);
});

test("events go to their own request only, and only until it is settled", async () => {
  const { connection } = connect();
  const seen: string[] = [];
  const note = (name: string) => (event: RequestEvent) =>
    seen.push(name + (event.type === "delta" ? event.text : ""));
  const a = connection.request(ask, note("a"));
  const b = connection.request(ask, note("b"));
  connection.receive(delta(b.id, "1"));
  connection.receive(delta(a.id, "2"));
  connection.receive(text(a.id, "A"));
  connection.receive(text(a.id, "doubled"));
  connection.receive(delta(a.id, "late"));
  connection.receive(delta(99_999, "foreign"));
  connection.receive({ ...refusal, id: a.id });
  connection.receive(text(b.id, "B"));
  assert.deepEqual(seen, ["b1", "a2"]);
  assert.deepEqual((await a.done).outcome, { kind: "text", text: "A" });
  assert.deepEqual((await b.done).outcome, { kind: "text", text: "B" });
  assert.equal(connection.size, 0);
});

test("what is no event is dropped", async () => {
  const { connection } = connect();
  const open = connection.request(ask);
  for (const junk of [null, undefined, 7, "done", {}, { type: "nonsense", id: open.id }, []]) {
    connection.receive(junk);
  }
  assert.equal(connection.size, 1);
  connection.receive(text(open.id, "fine"));
  await open.done;
});

test("an error with an id ends one request, without one all", async () => {
  const { connection, failures } = connect();
  const [a, b, c] = [1, 2, 3].map(() => connection.request(ask));
  connection.receive({ ...refusal, id: a!.id });
  await assert.rejects(a!.done, { code: "X" });
  assert.equal(connection.size, 2);
  connection.receive(refusal);
  await assert.rejects(b!.done, { code: "X" });
  await assert.rejects(c!.done, { code: "X" });
  await assert.rejects(connection.request(ask).done, { code: "X" });
  assert.equal(failures.length, 1);
});

test("death settles every open request, and later ones at once", async () => {
  const { connection, sent } = connect();
  const open = Array.from({ length: 20 }, () => connection.request(ask));
  const death = new SidestageError("WORKER_TERMINATED", "gone");
  connection.fail(death);
  connection.fail(new SidestageError("WORKER_TERMINATED", "again"));
  for (const { done } of open) await assert.rejects(done, death);
  const before = sent.length;
  await assert.rejects(connection.request(ask).done, death);
  connection.send({ type: "ping" });
  assert.equal(sent.length, before);
});

test("a message that cannot be cloned fails its own request", async () => {
  const connection = new Connection({
    post: () => {
      throw new Error("DataCloneError");
    },
  });
  await assert.rejects(connection.request(ask).done, { code: "INVALID_OPTION" });
  assert.equal(connection.size, 0);
});

test("silence becomes WORKER_TIMEOUT, events put it off", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { connection, failures } = connect(1000);
  const quiet = connection.request(ask);
  const other = connection.request(ask);
  const settled: string[] = [];
  quiet.done.catch((error: SidestageError) => settled.push(error.code));
  other.done.catch((error: SidestageError) => settled.push(error.code));
  context.mock.timers.tick(900);
  connection.receive(delta(quiet.id, ""));
  connection.receive(delta(other.id, ""));
  context.mock.timers.tick(900);
  connection.receive(delta(other.id, ""));
  assert.equal(failures.length, 0);
  context.mock.timers.tick(200);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(settled, ["WORKER_TIMEOUT", "WORKER_TERMINATED"]);
  assert.equal(failures.length, 1);
});

test("a time-out that comes late, as after sleep, is let pass once", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { connection } = connect(1000);
  const awake = connection.request(ask);
  context.mock.timers.tick(60_000);
  connection.receive(delta(awake.id, ""));
  context.mock.timers.tick(60_000);
  connection.receive(text(awake.id, "fine"));
  assert.equal((await awake.done).outcome.kind, "text");

  const dead = connection.request(ask);
  context.mock.timers.tick(60_000);
  assert.equal(connection.size, 1);
  context.mock.timers.tick(60_000);
  await assert.rejects(dead.done, { code: "WORKER_TIMEOUT" });
});

test("random orders of lost, late and doubled messages settle each request once", async () => {
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 16) % below;
  };
  for (let round = 0; round < 200; round += 1) {
    const { connection } = connect();
    let settled = 0;
    const open = Array.from({ length: 5 }, () => {
      let ended = false;
      const request = connection.request(ask, () =>
        assert.ok(!ended, "an event after the end"),
      );
      request.done.then(
        () => (settled += 1),
        () => (settled += 1),
      );
      return {
        id: request.id,
        end: () => {
          ended = true;
        },
      };
    });
    for (let step = 0; step < 30; step += 1) {
      const { id, end } = open[random(5)]!;
      const kind = random(4);
      if (kind === 0) connection.receive(delta(id, "x"));
      else if (kind === 1) connection.receive(text(id, "x"));
      else if (kind === 2) connection.receive({ ...refusal, id });
      else connection.receive({ type: "working", id, stage: "decode", done: 1, total: null });
      if (kind === 1 || kind === 2) end();
    }
    connection.fail(new SidestageError("WORKER_TERMINATED", "end"));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(settled, open.length);
  }
});
