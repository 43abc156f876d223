// Plain HTTP to processes on this machine. Unlike `fetch` it minds no proxy of the environment, which could
// not reach them.

import { request as open } from "node:http";

const ANSWER_TIMEOUT_MS = 1000;
const ANSWER_SIZE_BYTES_MAX = 16 * 1024 * 1024;

export interface LocalRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
}

export interface LocalAnswer {
  readonly status: number;
  readonly body: string;
}

/** One request to `address` (host:port). Rejects if there is no whole answer in time. */
export function askLocal(
  address: string,
  path: string,
  { method = "GET", headers, body, timeoutMs = ANSWER_TIMEOUT_MS }: LocalRequest = {},
): Promise<LocalAnswer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) };
    const request = open(`http://${address}${path}`, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_SIZE_BYTES_MAX) request.destroy(new Error("answer too large"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}
