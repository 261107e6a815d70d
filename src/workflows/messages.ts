import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Decision, RotationStatus } from '../domain/rotation.js';

/** `temporal workflow signal --name approveCaRemoval --input '{"who":"…","why":"…"}' -w ca/<authority>` */
export const approveCaRemovalSignal = defineSignal<[unknown]>('approveCaRemoval');
export const rejectCaRemovalSignal = defineSignal<[unknown]>('rejectCaRemoval');

/** The same with validation and an answer; what the starter sends. */
export const decideCaRemovalUpdate = defineUpdate<{ accepted: true; phase: string }, [Decision]>('decideCaRemoval');

export const statusQuery = defineQuery<RotationStatus>('status');

export const rotationPhase = defineSearchAttributeKey('RotationPhase', SearchAttributeType.KEYWORD);
export const rotationSubject = defineSearchAttributeKey('RotationSubject', SearchAttributeType.KEYWORD);
