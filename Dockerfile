FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The embedded PostgreSQL and its Node are for machines without either.
RUN npm ci --omit=dev --omit=optional
COPY --from=build /app/dist dist
COPY sql sql
USER node
ENV PGCREDITS_HOST=0.0.0.0
EXPOSE 5678
ENTRYPOINT ["node", "dist/cli.js"]
CMD ["serve"]
