// Runs commands one after another in this process, and prints a line of JSON for each: `{ code, output }`. `ours` is this package's command
// line, `stock` is MikroORM's own. A process for each would take a second and a half.
const exit = process.exit.bind(process);
let ended = exit;
// yargs keeps the function that is there when it is loaded
process.exit = code => ended(code);
const { configure } = await import('@mikro-orm/cli');
const { runCli } = await import('../../../dist/cli/run-cli.js');
const LINES = { ours: runCli, stock: async args => (await configure()).parse(args) };
const print = console.log.bind(console);

for (const [line, ...args] of JSON.parse(process.argv[2])) {
  print(JSON.stringify(await run(LINES[line], args)));
}

exit(0);

async function run(commandLine, args) {
  const output = [];
  const exited = new Promise(resolve => {
    ended = code => resolve(code ?? process.exitCode ?? 0);
  });

  for (const name of ['log', 'error', 'warn', 'info']) {
    console[name] = text => output.push(String(text));
  }

  process.exitCode = undefined;
  const code = await Promise.race([
    exited,
    commandLine(args).then(
      () => Number(process.exitCode ?? 0),
      () => 1,
    ),
  ]);

  return { code, output: output.join('\n') };
}
