import { spawn } from 'node:child_process';

/** A command on a terminal of its own. */
export interface TerminalProcess {
  /** The output so far, including standard error. */
  output(): string;
  /** Types text, as somebody at the terminal. */
  type(text: string): void;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Runs a command on a terminal of its own, with `script` of util-linux. */
export function startOnTerminal(
  command: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): TerminalProcess {
  const line = command.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', chunk => (output += String(chunk)));

  return {
    output: () => output,
    type: text => void child.stdin.write(text),
    ended: new Promise((resolve, reject) => {
      child.on('error', cause =>
        reject(new Error('The specs of a terminal need `script`. Install util-linux, or bsdutils on Debian.', { cause })),
      );
      child.on('close', code => resolve({ code, output }));
    }),
  };
}
