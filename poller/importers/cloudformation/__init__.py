"""Templates of CloudFormation and of the Serverless Application Model."""
