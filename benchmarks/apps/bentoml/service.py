import bentoml


@bentoml.service
class Noop:
    @bentoml.api
    async def predict(self, text: str) -> str:
        return text
