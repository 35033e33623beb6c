import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ROOT } from '../support/orm/library-orm.ts';

describe('what a process loads with the library', () => {
  it('P4 is nothing of Node.js for HTTP, compression, processes or terminals', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', SCRIPT], { cwd: ROOT });

    expect(JSON.parse(stdout)).to.include('net').and.not.to.include.any.members(UNUSED);
  });
});

const UNUSED = ['http', 'https', 'http2', 'internal/deps/undici/undici', 'zlib', 'child_process', 'readline', 'readline/promises'];

const SCRIPT = `
await import('./dist/index.js');
await import('./dist/cli/run-cli.js');
console.log(JSON.stringify(process.moduleLoadList.map(each => each.replace('NativeModule ', ''))));
`;
