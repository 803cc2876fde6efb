//! Probes visit the endpoints of the job store.

use async_trait::async_trait;

use super::Jobs;
use crate::model::{Endpoint, EndpointId};
use crate::probe::Endpoints;

#[async_trait]
impl Endpoints for Jobs {
    async fn unsealed(&self, id: EndpointId) -> Result<Endpoint, String> {
        Self::unsealed(self, id).await.map_err(|error| error.to_string())
    }
}
