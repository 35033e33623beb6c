import { helper, Reference, ScalarReference, Utils } from '@mikro-orm/core';

/**
 * What came out of an ORM, as plain data that can be compared: each entity once, with its class, what is loaded of it, and
 * its schema where that is not the expected one; then by its key. References and collections that are not loaded are told from those that are.
 */
export function toPlainData(answer: unknown, schemaOf: (className: string) => string | undefined): unknown {
  const seen = new Set<object>();

  return convert(answer);

  function convert(given: unknown): unknown {
    const value = given instanceof Reference ? given.unwrap() : given;

    if (typeof value !== 'object' || value === null) {
      return value;
    }

    if (value instanceof ScalarReference) {
      return value.isInitialized() ? { scalar: value.unwrap() } : { scalar: 'not loaded' };
    }

    if (Utils.isCollection(value)) {
      return value.isInitialized() ? value.getItems(false).map(convert) : 'not loaded';
    }

    if (Utils.isEntity<Record<string, unknown>>(value)) {
      return convertEntity(value);
    }

    if (Array.isArray(value)) {
      return value.map(convert);
    }

    if (value instanceof Date) {
      return value.toISOString();
    }

    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined && typeof item !== 'function')
        .map(([key, item]) => [key, convert(item)]),
    );
  }

  function convertEntity(entity: Record<string, unknown>): unknown {
    const { __meta: meta, __schema: schema } = helper(entity as object);
    const name =
      meta.embeddable === true ? meta.className : `${meta.className} ${JSON.stringify(helper(entity as object).getPrimaryKey())}`;
    const expected = meta.embeddable === true || meta.virtual === true ? undefined : schemaOf(meta.className);
    const label = expected === undefined || expected === schema ? name : `${name} of ${schema}`;

    if (meta.embeddable !== true && meta.virtual !== true) {
      if (seen.has(entity)) {
        return label;
      }

      if (!helper(entity as object).isInitialized()) {
        return `${label}, not loaded`;
      }

      seen.add(entity);
    }

    const properties = meta.props.filter(({ name: key, embedded }) => embedded === undefined && entity[key] !== undefined);

    return { '': label, ...Object.fromEntries(properties.map(({ name: key }) => [key, convert(entity[key])])) };
  }
}
