import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Decision, SentDecision } from '../domain/approval.js';
import type { Emergency } from '../domain/emergency.js';
import type { Intervention } from '../domain/intervention.js';
import type { RotationStatus } from '../domain/rotation.js';

/** `temporal workflow signal --name approveCaRemoval --input '{"who":"…","why":"…","evidence":"…"}' -w ca/<authority>` */
export const approveCaRemovalSignal = defineSignal<[unknown]>('approveCaRemoval');
export const rejectCaRemovalSignal = defineSignal<[unknown]>('rejectCaRemoval');

/** The same with validation and an answer; what the starter sends. */
export const decideCaRemovalUpdate = defineUpdate<DecisionTaken, [SentDecision & Pick<Decision, 'decision'>]>(
  'decideCaRemoval',
);

export interface DecisionTaken {
  readonly accepted: true;
  readonly phase: string;
  /** False while a second person must approve. */
  readonly decided: boolean;
}

/** What fails waits for one of these; `{"target":"…","who":"…","why":"…"}`, for an abort without a target. */
export const retryTargetSignal = defineSignal<[unknown]>('retryTarget');
export const skipTargetSignal = defineSignal<[unknown]>('skipTarget');
export const abortCaRotationSignal = defineSignal<[unknown]>('abortCaRotation');

/** While the old CA is being removed and watched: `{"who":"…","why":"…"}`. */
export const undoRemovalSignal = defineSignal<[unknown]>('undoRemoval');

/** The same with validation and an answer; what the starter sends. */
export const interveneUpdate = defineUpdate<InterventionTaken, [Intervention]>('intervene');

export interface InterventionTaken {
  readonly accepted: boolean;
  /** Of an abort: what it undoes, in its order. */
  readonly undoes: readonly string[];
}

/** A CA's key is in other hands: `{"who":"…","why":"…","leaked":"current"}`. */
export const declareEmergencySignal = defineSignal<[unknown]>('declareEmergency');

/** The same with validation and an answer; what the starter sends, with the start of the rotation if none runs. */
export const emergencyUpdate = defineUpdate<EmergencyTaken, [Emergency]>('emergency');

export interface EmergencyTaken {
  readonly accepted: true;
  readonly phase: string;
}

/** To a leaf rotation: wait for no maintenance window any more. */
export const hurrySignal = defineSignal('hurry');

/** To a leaf rotation: the key of the leaf in use is in other hands; `{"who":"…","why":"…"}`. */
export const leafLeakedSignal = defineSignal<[unknown]>('leafLeaked');

export const statusQuery = defineQuery<RotationStatus>('status');

export const rotationPhase = defineSearchAttributeKey('RotationPhase', SearchAttributeType.KEYWORD);
export const rotationSubject = defineSearchAttributeKey('RotationSubject', SearchAttributeType.KEYWORD);
