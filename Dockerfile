# alr in a container, without a GPU:
#   docker build -t alr .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/pictures" alr denoise noisy.png -o clean.png
FROM python:3.12-slim
COPY . /src
RUN pip install --no-cache-dir -c /src/constraints.txt /src && rm -r /src
WORKDIR /pictures
ENTRYPOINT ["alr"]
