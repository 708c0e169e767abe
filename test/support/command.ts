import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export interface RunningCommand {
  process: ChildProcess;
  /** All that it has printed so far, on both outputs. */
  output(): string;
  /** What it has printed on one of them. */
  outputs: { stdout: string; stderr: string };
  /** Resolves with the match once the output has it; rejects if the command ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the exit status (null after a signal) when it has ended. */
  ended: Promise<number | null>;
}

/** Starts `pgcredits` with these arguments and this environment, and none of ours. */
export function start(args: string[], env: Record<string, string>): RunningCommand {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const outputs = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      text += chunk;
      outputs[name] += chunk;
    });
  }
  const ended = once(child, 'close').then(() => child.exitCode);
  return {
    process: child,
    output: () => text,
    outputs,
    printed(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text);
          if (match) resolve(match);
        };
        child.stdout.on('data', look);
        look();
        ended.then(() => reject(new Error(`ended without printing ${pattern}:\n${text}`)));
      });
    },
    ended,
  };
}

/** Runs `pgcredits` to its end. */
export async function run(
  args: string[],
  env: Record<string, string>,
): Promise<{ status: number | null; output: string; stdout: string; stderr: string }> {
  const command = start(args, env);
  const status = await command.ended;
  return { status, output: command.output(), ...command.outputs };
}
