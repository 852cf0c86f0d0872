// What the tests use of Node. Its own types would bring globals that the page does not have.
declare module "node:test" {
  interface Context {
    skip(reason?: string): void;
  }
  type Body = (t: Context) => void | Promise<void>;
  interface Options {
    skip?: boolean | string;
  }
  interface Test {
    (name: string, body: Body): Promise<void>;
    (name: string, options: Options, body: Body): Promise<void>;
  }
  const test: Test;
  export default test;
  export { test };
  export const describe: Test;
  export const it: Test;
}

declare module "node:assert/strict" {
  interface Assert {
    (value: unknown, message?: string): asserts value;
    ok(value: unknown, message?: string): asserts value;
    equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
    notEqual(actual: unknown, expected: unknown, message?: string): void;
    deepEqual<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
    notDeepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(text: string, pattern: RegExp, message?: string): void;
    doesNotMatch(text: string, pattern: RegExp, message?: string): void;
    throws(body: () => unknown, expected?: RegExp | ((e: unknown) => boolean), message?: string): void;
    doesNotThrow(body: () => unknown, message?: string): void;
    rejects(body: Promise<unknown> | (() => Promise<unknown>), expected?: RegExp, message?: string): Promise<void>;
    fail(message?: string): never;
  }
  const assert: Assert;
  export default assert;
}

declare module "node:child_process" {
  export function execFileSync(file: string, args: string[], options: { encoding: "utf8"; maxBuffer?: number }): string;
  interface Child {
    pid?: number;
    stdin: { write(text: string): void };
    stdout: { once(event: "data", then: (data: unknown) => void): void };
    once(event: "exit", then: () => void): void;
    kill(signal: "SIGKILL"): void;
  }
  export function spawn(file: string, args: string[], options: { stdio: ["pipe", "pipe", "inherit"] }): Child;
  export function spawnSync(file: string, args: string[], options?: { stdio?: "ignore" }): { status: number | null };
}

declare module "node:fs" {
  export function mkdtempSync(prefix: string): string;
  export function readFileSync(path: string, encoding: "utf8"): string;
  export function rmSync(path: string, options?: { recursive?: boolean; force?: boolean }): void;
}

declare module "node:zlib" {
  export function gunzipSync(packed: Uint8Array): { toString(): string };
}

declare module "node:os" {
  export function tmpdir(): string;
}

declare module "node:path" {
  export function join(...parts: string[]): string;
}

declare const process: { pid: number; env: Record<string, string | undefined> };
