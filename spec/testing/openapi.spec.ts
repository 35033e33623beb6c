import { requestsOf, type LeakRequest, type MarkedTenant, type OpenApiDocument } from '@landlord/mikro-orm/testing';
import { expect } from 'chai';

describe('the requests of an OpenAPI document', () => {
  it('K2 have the path of its server, and parameters that it refers to', () => {
    expect(
      pathsOf({
        servers: [{ url: 'https://{host}.example.com/{version}/', variables: { host: { default: 'api' }, version: { default: 'v2' } } }],
        paths: {
          '/books/{id}': {
            parameters: [{ $ref: '#/components/parameters/Id' }],
            get: { parameters: [{ $ref: '#/components/parameters/Page' }, { name: 'sort', in: 'query' }] },
          },
          '/loans': { $ref: '#/components/pathItems/a~1b' },
        },
        components: {
          parameters: {
            Id: { name: 'id', in: 'path', required: true, schema: { $ref: '#/components/schemas/Id' } },
            Page: { name: 'page', in: 'query', required: true, example: 'a b' },
          },
          schemas: { Id: { example: 7 } },
          pathItems: { 'a/b': { get: {} } },
        },
      }),
    ).to.deep.equal(['GET /v2/books/7?page=a%20b', 'GET /v2/loans']);
  });

  it('K2 are those of a document without servers, or with one that has no path', () => {
    const paths = { '/books/{id}': { get: { parameters: [{ name: 'id', in: 'path' }] }, post: {} } };

    for (const servers of [undefined, [], [{ url: '/' }], [{ url: 'https://api.example.com' }]]) {
      expect(pathsOf({ paths, ...(servers === undefined ? {} : { servers }) })).to.deep.equal(['GET /books/1']);
    }
  });
});

function pathsOf(document: OpenApiDocument): string[] {
  return requestsOf(document).map(request => {
    const { method, path } = (request as (tenant: MarkedTenant) => LeakRequest)({
      mark: 'mark',
      schemaName: 'acme',
      domainUrl: 'acme.example.com',
    });

    return `${method} ${path}`;
  });
}
