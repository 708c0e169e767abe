/** The processes of a run: what the system says of them, and pgcredits' own commands. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** CPU time that these processes have had so far, in microseconds. Linux alone tells; elsewhere null. */
export function cpuTime(pids: number[]): number | null {
  let total = 0;
  for (const pid of pids) {
    try {
      total += Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
    } catch {
      return null;
    }
  }
  return total;
}

/** Megabytes. */
export interface Memory {
  /** Of all processes of the server, what each has for itself; shared_buffers comes on top. */
  server: number;
  /** Of the largest of them. */
  backend: number;
  /** Of each command of pgcredits that runs, all of it. */
  commands: Record<string, number>;
  /** Of the benchmark itself, its clients included. */
  clients: number;
}

export interface Watch {
  /** Begins anew, after what is returned: the samples so far, one a second. */
  take(): Memory[];
  stop(): void;
}

/** Samples the memory of the server, whose first process is given, and of the commands that run. Linux alone tells. */
export function watchMemory(server: number): Watch {
  let samples: Memory[] = [];
  const sample = () => {
    const backends = children(server).map((pid) => megabytes(pid, 'RssAnon'));
    samples.push({
      server: sum(backends) + megabytes(server, 'RssAnon'),
      backend: Math.max(0, ...backends),
      commands: Object.fromEntries(
        [...running].map(([name, { pid }]) => [name, megabytes(Number(pid), 'VmRSS')]),
      ),
      clients: process.memoryUsage.rss() / 2 ** 20,
    });
  };
  const timer = setInterval(sample, 1000);
  timer.unref();
  return {
    take() {
      sample();
      const taken = samples;
      samples = [];
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

const sum = (figures: number[]) => figures.reduce((total, figure) => total + figure, 0);

/** A figure of /proc/PID/status; 0 for a process that has gone. */
function megabytes(pid: number, figure: 'RssAnon' | 'VmRSS'): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`${figure}:\\s*(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function children(pid: number): number[] {
  try {
    const list = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}

const running = new Map<string, ChildProcess>();
process.on('exit', () => {
  for (const child of running.values()) child.kill('SIGKILL');
});

/** How long a command may take to be ready, in milliseconds. */
const PATIENCE = 60_000;

export interface Command {
  /** What `ready` found. */
  found: string;
  stop(): Promise<void>;
}

/** Runs `pgcredits worker` or another command, and waits for the line that says it is ready. Throws if it ends before, or takes too long. */
export async function startCommand(
  name: string,
  command: string,
  ready: RegExp,
  environment: Record<string, string>,
): Promise<Command> {
  const child = spawn(process.execPath, [CLI, command], {
    env: { ...process.env, STRIPE_SECRET_KEY: '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.set(name, child);
  const exited = once(child, 'exit').then(() => running.delete(name));
  let output = '';
  const found = new Promise<string>((resolve, reject) => {
    const read = (text: string) => {
      output += text;
      const match = ready.exec(output);
      if (match) resolve(match[1] ?? match[0]);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', read);
    const fail = (what: string) => reject(new Error(`pgcredits ${command} ${what}: ${output}`));
    exited.then(() => fail('ended'));
    setTimeout(fail, PATIENCE, 'is not ready').unref();
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  try {
    return { found: await found, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
