/** What the examples take from the application that they are part of. */
import { Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';

interface Tables {
  images: { id: string; team: string; prompt: string };
  videos: { job: string; team: string; url: string };
}

export const database = new Kysely<Tables>({
  dialect: new PostgresDialect({
    pool: new Pool({ connectionString: process.env.DATABASE_URL }),
  }),
});

export async function signedIn(request: Request): Promise<{ team: string; member: string }> {
  return { team: request.headers.get('x-team') ?? '', member: 'ann' };
}

export async function renderVideo(prompt: string): Promise<{ url: string; seconds: number }> {
  if (prompt === '') throw new Error('nothing to render');
  return { url: `https://videos.example/${prompt}.mp4`, seconds: 45 };
}
