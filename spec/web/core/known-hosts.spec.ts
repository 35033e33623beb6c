import { expect } from 'chai';
import { ResolvedRequest } from '../../../dist/web/core/web-request.js';

describe('The hosts that a process has read', () => {
  it('H3 are read once, as long as they are not many: a visitor cannot fill the memory with them', () => {
    const read: string[] = [];
    const rules = {
      canonicalHost: (host: string) => {
        read.push(host);

        return host;
      },
    };
    const ask = (host: string): string => new ResolvedRequest({ headers: { host } }, rules as never, undefined).host;
    const hosts = Array.from({ length: 1_000 }, (_, n) => `t${n}.example.com`);

    for (const host of [...hosts, ...hosts]) {
      expect(ask(host)).to.equal(host);
    }

    expect(read).to.deep.equal(hosts);

    expect(ask('one-more.example.com')).to.equal('one-more.example.com');
    expect(ask('t0.example.com')).to.equal('t0.example.com');
    expect(read.slice(hosts.length), 'what is asked for after many others').to.deep.equal(['one-more.example.com', 't0.example.com']);
  });
});
