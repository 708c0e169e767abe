import type { Task } from 'graphile-worker';
import { ConflictError, createCredits } from 'pgcredits';
import { database, renderVideo } from './app.ts';

const credits = createCredits(database);

export const video: Task = async (payload, { job }) => {
  const { team, prompt } = payload as { team: string; prompt: string };
  const request = {
    accountId: team,
    operation: 'video',
    usage: { quality: 'pro', seconds: 60 },
    idempotencyKey: `video ${job.id}`,
    expiresIn: '2 hours',
  };
  try {
    await credits.withHold(request, async (hold) => {
      const { url, seconds } = await renderVideo(prompt);
      await database.transaction().execute(async (transaction) => {
        await transaction.insertInto('videos').values({ job: job.id, team, url }).execute();
        await hold.capture({ usage: { quality: 'pro', seconds } }, transaction);
      });
    });
  } catch (error) {
    // An earlier run of this job had done it all, and could not say so.
    if (error instanceof ConflictError && error.detail.reason === 'already_captured') return;
    throw error;
  }
};
