declare module "htmx.org/dist/*";
