import { compileFunction } from 'node:vm';
import * as edge from '@landlord/mikro-orm/nest';
import * as mikroNest from '@mikro-orm/nestjs';
import * as postgresql from '@mikro-orm/postgresql';
import * as nest from '@nestjs/common';
import { transform } from '@swc/core';

/** The exports of a module, compiled as `nest build` does it. */
export async function loadNestModule<Exports>(source: string, modules: Readonly<Record<string, object>>): Promise<Exports> {
  const { code } = await transform(source, {
    swcrc: false,
    module: { type: 'commonjs' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
  });
  const module = { exports: {} };
  const required: Readonly<Record<string, object>> = {
    '@landlord/mikro-orm/nest': edge,
    '@mikro-orm/nestjs': mikroNest,
    '@mikro-orm/postgresql': postgresql,
    '@nestjs/common': nest,
    ...modules,
  };
  compileFunction(code, ['module', 'exports', 'require'])(module, module.exports, (specifier: string) => required[specifier]);

  return module.exports as Exports;
}
