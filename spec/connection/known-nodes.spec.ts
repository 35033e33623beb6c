import { expect } from 'chai';
import type { Configuration } from '@mikro-orm/core';
import { KnownNodes } from '../../dist/connection/pool/known-nodes.js';
import { until } from '../support/assertions/until.ts';

describe('the nodes of tenants, as far as the process knows', () => {
  it('S24 are read one time after the other, and again for a move that comes while they are', async () => {
    const nodes = KnownNodes.of({} as Configuration);
    expect(nodes.nodeOf('acme')).to.equal(undefined);

    const answers: ((nodes: ReadonlyMap<string, string>) => void)[] = [];
    nodes.readBy(() => new Promise(resolve => answers.push(resolve)));
    nodes.refresh();
    nodes.refresh();
    nodes.refresh();
    expect(answers).to.have.length(1);

    answers[0]?.(new Map([['acme', 'one:5432']]));
    await until('they are read again', () => answers.length === 2);
    expect(nodes.nodeOf('acme')).to.equal('one:5432');

    answers[1]?.(new Map([['acme', 'two:5432']]));
    await until('it is on the other node', () => nodes.nodeOf('acme') === 'two:5432');
    expect(answers).to.have.length(2);
  });

  it('S24 stay as they were where they cannot be read', async () => {
    const nodes = KnownNodes.of({} as Configuration);
    let reads = 0;
    nodes.readBy(async () => new Map([['acme', 'one:5432']]));
    nodes.refresh();
    await until('they are known', () => nodes.nodeOf('acme') !== undefined);
    nodes.readBy(() => Promise.reject(new Error(String((reads += 1)))));
    nodes.refresh();
    nodes.refresh();
    await until('both have failed', () => reads === 2);

    expect(nodes.nodeOf('acme')).to.equal('one:5432');
  });
});
