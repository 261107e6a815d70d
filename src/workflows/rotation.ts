import type { CertificateFacts } from '../domain/certificate.js';
import type { CaPlan } from '../domain/rotation.js';
import type { Emergencies } from './emergencies.js';
import type { Interventions } from './interventions.js';
import type { StatusBoard } from './status.js';

/** A CA rotation under way: what its phases share. */
export interface Rotation {
  readonly plan: CaPlan;
  readonly ca: CertificateFacts;
  /** Absent when the authority had no CA before. */
  readonly old?: CertificateFacts;
  readonly board: StatusBoard;
  readonly interventions: Interventions;
  readonly emergencies: Emergencies;
}
