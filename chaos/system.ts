// What the bench knows of a system under test: nodes that start, die, pause and answer HTTP under /key/.
// Never looks inside a node.

/** One node of a system under test. */
export interface SystemNode {
  readonly name: string;
  /** HOST:PORT of its HTTP API. */
  readonly http: string;
  /** True while its process exists, paused or not. */
  readonly running: boolean;
}

/** *Contract:* `stop` ends every process that the system started, in whatever state it is. */
export interface SystemUnderTest {
  readonly name: string;
  readonly nodes: readonly SystemNode[];
  /** Answers carry `Pontoon-Applied`, and the order by it must itself be a linearization. */
  readonly promisesApplied: boolean;
  /** Starts all nodes and waits until each serves. */
  start(): Promise<void>;
  /** Starts one node again on its data; resolves when its process runs, ready or not. */
  restart(node: SystemNode): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(node: SystemNode): Promise<void>;
  /** SIGSTOP; resolves when the kernel says the process is stopped. */
  pause(node: SystemNode): Promise<void>;
  /** SIGCONT. */
  resume(node: SystemNode): void;
  /** Waits until each node serves again. Rejects after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}
