import { tenantUrl, type TenantMixin } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';

const acme = { domainUrl: 'acme.example.com', schemaName: 'acme', name: 'A/c me' } as unknown as TenantMixin;

describe('tenantUrl', () => {
  it('H14 makes the URL of a tenant’s page, by its host, its sub-domain or its path', () => {
    expect(tenantUrl(acme)).to.equal('https://acme.example.com/');
    expect(tenantUrl(acme, '/books?page=2#top')).to.equal('https://acme.example.com/books?page=2#top');
    expect(tenantUrl(acme, '/', { base: 'http://:domainUrl:8080' })).to.equal('http://acme.example.com:8080/');
    expect(tenantUrl(acme, '/a', { base: 'https://:schemaName.apps.test/' })).to.equal('https://acme.apps.test/a');
    expect(tenantUrl(acme, '/a', { base: 'https://apps.test/t/:schemaName' })).to.equal('https://apps.test/t/acme/a');
    expect(tenantUrl(acme, '/a', { base: 'http://[::1]:3000/t/:schemaName' })).to.equal('http://[::1]:3000/t/acme/a');
    expect(tenantUrl(acme, '/a', { base: 'https://apps.test/t/:name' })).to.equal('https://apps.test/t/A%2Fc%20me/a');
    expect(tenantUrl(Object.assign(Object.create(acme) as TenantMixin, { domainUrl: '[::1]' }), '/a')).to.equal('https://[::1]/a');
  });

  it('H14 refuses a path that could lead elsewhere, and a base that makes no URL of this tenant', () => {
    for (const path of [
      'books',
      '',
      '//evil.test',
      '/\\evil.test',
      'https://evil.test',
      '\t//evil.test',
      '@evil.test',
      '.evil.test',
      undefined,
    ]) {
      if (path !== undefined) {
        expect(() => tenantUrl(acme, path), path)
          .to.throw()
          .with.property('code', 'TENANT_URL');
      }
    }

    for (const path of ['/../bob', '/%2e%2E/bob', '/..', '/a/../../bob']) {
      expect(() => tenantUrl(acme, path, { base: 'https://apps.test/t/:schemaName' }), path)
        .to.throw()
        .with.property('code', 'TENANT_URL');
    }

    for (const base of [
      '',
      'acme',
      'ftp://:domainUrl',
      'https://:nothing',
      'https://:name.test',
      'https://a@:domainUrl',
      'https://:domainUrl/?x=1',
    ]) {
      expect(() => tenantUrl(acme, '/', { base }), base)
        .to.throw()
        .with.property('code', 'TENANT_URL');
    }
  });

  it('H14 whatever the path is, the URL is of the tenant’s host, below its path', () => {
    fc.assert(
      fc.property(
        fc.string().map(text => `/${text}`),
        path => {
          let made: string;

          try {
            made = tenantUrl(acme, path, { base: 'https://apps.test/t/:schemaName' });
          } catch (error) {
            expect(error).to.have.property('code', 'TENANT_URL');
            return;
          }

          expect(new URL(made).host).to.equal('apps.test');
          expect(new URL(made).pathname).to.match(/^\/t\/acme\//);
        },
      ),
    );
  });
});
