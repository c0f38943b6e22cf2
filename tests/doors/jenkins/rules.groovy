// The rules of CodeNarc for Jenkins: what its transformation of pipelines (CPS) cannot do. They look at files that are
// named Jenkinsfile alone, if nobody tells them otherwise.
ruleset {
    description 'Jenkins'
    String all = '*.groovy'
    rule(org.codenarc.rule.jenkins.ClassNotSerializableRule) { applyToFileNames = all }
    rule(org.codenarc.rule.jenkins.ClosureInGStringRule) { applyToFileNames = all }
    rule(org.codenarc.rule.jenkins.CpsCallFromNonCpsMethodRule) { applyToFileNames = all; cpsScriptVariableName = 'steps' }
    rule(org.codenarc.rule.jenkins.ExpressionInCpsMethodNotSerializableRule) { applyToFileNames = all }
    rule(org.codenarc.rule.jenkins.ForbiddenCallInCpsMethodRule) { applyToFileNames = all }
    rule(org.codenarc.rule.jenkins.ObjectOverrideOnlyNonCpsMethods) { applyToFileNames = all }
    rule(org.codenarc.rule.jenkins.ParameterOrReturnTypeNotSerializableRule) { applyToFileNames = all }
}
