import type { CertificateFacts } from '../domain/certificate.js';
import type { CaPlan } from '../domain/rotation.js';
import type { Emergencies } from './emergencies.js';
import type { Interventions } from './interventions.js';
import type { StatusBoard } from './status.js';
import type { Windows } from './windows.js';

/** A CA rotation under way, also before it has a new CA: what its phases share. */
export interface UnderWay {
  readonly plan: CaPlan;
  readonly board: StatusBoard;
  readonly interventions: Interventions;
  readonly emergencies: Emergencies;
  readonly windows: Windows;
  /** What went otherwise than it should, a line each, for as long as the rotation runs: it is a doubt about its removal. */
  readonly incidents: string[];
}

/** One that has a new CA. */
export interface Rotation extends UnderWay {
  readonly ca: CertificateFacts;
  /** Absent when the authority had no CA before. */
  readonly old?: CertificateFacts;
}
