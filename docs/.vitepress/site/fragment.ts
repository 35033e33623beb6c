/** What a fragment of TypeScript uses and does not declare: the names of this package, and those of the files of the page "Start". */
export function importsOf(fragment: string, exported: readonly string[], entities = './entities.js'): string {
  const isUsed = (name: string): boolean => new RegExp(String.raw`\b${name}\b`).test(fragment);
  const isDeclared = (name: string): boolean =>
    new RegExp(String.raw`(?:const|class) ${name}\b|import [^;]*\b${name}\b|\b${name} =>|\([^()]*\b${name}(?:, \w+)*\) =>`).test(fragment);
  const isGiven = (name: string): boolean => isUsed(name) && !isDeclared(name);
  const own = exported.filter(isGiven);
  const config = entities.replace('entities.js', 'mikro-orm.config.js');

  return [
    ...(own.length > 0 ? [`import { ${own.join(', ')} } from '@landlord/mikro-orm';`] : []),
    ...(isGiven('em') || isGiven('orm') ? [`import type { TenantEntityManager as Em } from '@landlord/mikro-orm';`] : []),
    ...(isGiven('defineConfig') ? [`import { defineConfig } from '@mikro-orm/postgresql';`] : []),
    ...['Book', 'Client']
      .filter(name => isGiven(name) || (name === 'Client' && isGiven('client')))
      .map(name => `import { ${name} } from '${entities}';`),
    ...(isGiven('config') ? [`import config from '${config}';`] : []),
    ...(isGiven('em') ? ['declare const em: Em;'] : []),
    ...(isGiven('orm') ? ['declare const orm: { readonly em: Em };'] : []),
    ...(isGiven('client') ? ['declare const client: Client;'] : []),
  ].join('\n');
}
