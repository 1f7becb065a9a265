"""Where events lie and metrics are computed: DuckDB in the process, or ClickHouse by URL; one .sql file a metric."""

from sealane.health.warehouse.duck import DuckWarehouse
from sealane.health.warehouse.protocol import Row, Scope, Warehouse

__all__ = ["DuckWarehouse", "Row", "Scope", "Warehouse"]
