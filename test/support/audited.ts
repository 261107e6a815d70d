import type { World } from './fakes.js';

/** What was put on record, in order: the event, what it is about, and whether it begins, is done, or was found done. */
export const eventsOf = ({ audited }: World): readonly (readonly string[])[] =>
  audited.map(({ event, subject, stage }) => [event, subject, ...(stage ? [stage] : [])]);
