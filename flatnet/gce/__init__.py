"""Routes to pods in a VPC network of Google Cloud: what they are, in words, and in the cloud."""
