<?xml version="1.0" encoding="UTF-8"?>
<!--
  Papers of ours as the printed form. The style codes come from the narrative of the paper (mappings/documents/narrative.py):
  text: xHeader, xHeading, xExtras, xSigners, xCopies2; table: xRows, xSigners; tr: xLeft, xMiddle, xRight, xStrong, xBare, xSame.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v="urn:hl7-org:v3"
    xmlns:view="urn:lienthong:view" exclude-result-prefixes="v view">
  <xsl:variable name="last" select="$sections[last()][contains(concat(' ', v:text/@styleCode, ' '), ' xSigners ')]"/>

  <!-- How many letters stand on one line of the page. -->
  <xsl:variable name="line" select="80 - 20 * number($view/@layout != 'form a4')"/>

  <xsl:template name="copies">
    <xsl:choose>
      <xsl:when test="contains(concat(' ', $head/v:text/@styleCode, ' '), ' xCopies2 ')">
        <div class="copies">
          <xsl:call-template name="form"><xsl:with-param name="copy" select="1"/></xsl:call-template>
          <xsl:call-template name="form"><xsl:with-param name="copy" select="2"/></xsl:call-template>
        </div>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="form"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="form">
    <xsl:param name="copy"/>
    <article class="sheet">
      <xsl:if test="not($head/v:text/v:paragraph[contains(concat(' ', @styleCode, ' '), ' xMotto ')])">
        <xsl:attribute name="class">sheet record</xsl:attribute>
      </xsl:if>
      <xsl:if test="$copy">
        <xsl:attribute name="aria-label">Liên số <xsl:value-of select="$copy"/></xsl:attribute>
        <p class="part">Liên số <xsl:value-of select="$copy"/></p>
      </xsl:if>
      <xsl:variable name="rows" select="$head/v:text/v:table/v:tbody/v:tr"/>
      <xsl:variable name="left" select="$rows[contains(concat(' ', @styleCode, ' '), ' xLeft ')]"/>
      <xsl:variable name="right" select="$rows[contains(concat(' ', @styleCode, ' '), ' xRight ')]"/>
      <xsl:variable name="motto" select="$head/v:text/v:paragraph[contains(concat(' ', @styleCode, ' '), ' xMotto ')]"/>
      <header>
        <div class="furniture">
          <div class="left"><xsl:apply-templates select="$left" mode="furniture"/></div>
          <xsl:if test="$motto">
            <div class="motto">
              <xsl:for-each select="$motto">
                <p><span><xsl:apply-templates mode="narrative"/></span></p>
              </xsl:for-each>
            </div>
          </xsl:if>
          <div class="right"><xsl:apply-templates select="$right" mode="furniture"/></div>
        </div>
        <h1><xsl:value-of select="normalize-space($head/v:title)"/></h1>
        <xsl:for-each select="$head/v:text/v:paragraph[contains(concat(' ', @styleCode, ' '), ' xSubtitle ')]">
          <p class="subtitle"><xsl:apply-templates mode="narrative"/></p>
        </xsl:for-each>
        <xsl:for-each select="$head/v:text/v:paragraph[contains(concat(' ', @styleCode, ' '), ' xStamp ')]">
          <p class="stamp"><xsl:apply-templates mode="narrative"/></p>
        </xsl:for-each>
        <xsl:if test="not($head/v:text/v:paragraph[contains(concat(' ', @styleCode, ' '), ' xStamp ')] = $view/@stamp)">
          <xsl:call-template name="stamp"/>
        </xsl:if>
        <xsl:for-each select="$head/../preceding-sibling::v:component/v:section">
          <section class="before">
            <h2><xsl:call-template name="section-title"/></h2>
            <xsl:apply-templates select="v:text/node()" mode="narrative"/>
          </section>
        </xsl:for-each>
      </header>
      <xsl:for-each select="$head/v:text/node()">
        <xsl:choose>
          <xsl:when test="self::v:paragraph[contains(concat(' ', @styleCode, ' '), ' xMotto ')
              or contains(concat(' ', @styleCode, ' '), ' xSubtitle ') or contains(concat(' ', @styleCode, ' '), ' xStamp ')]"/>
          <xsl:when test="self::v:table[contains(concat(' ', @styleCode, ' '), ' xRows ')]">
            <xsl:call-template name="rows">
              <xsl:with-param name="rows" select="v:tbody/v:tr[not(contains(concat(' ', @styleCode, ' '), ' xLeft ')
                  or contains(concat(' ', @styleCode, ' '), ' xRight '))]"/>
            </xsl:call-template>
          </xsl:when>
          <xsl:otherwise><xsl:apply-templates select="." mode="narrative"/></xsl:otherwise>
        </xsl:choose>
      </xsl:for-each>
      <xsl:for-each select="$head/../following-sibling::v:component/v:section[not($last) or count(. | $last) = 2]">
        <section>
          <xsl:if test="contains(concat(' ', v:text/@styleCode, ' '), ' xExtras ')">
            <xsl:attribute name="class">extras</xsl:attribute>
          </xsl:if>
          <h2>
            <xsl:if test="not(contains(concat(' ', v:text/@styleCode, ' '), ' xHeading '))">
              <xsl:attribute name="class">hide</xsl:attribute>
            </xsl:if>
            <xsl:call-template name="section-title"/>
          </h2>
          <xsl:apply-templates select="v:text/node()" mode="narrative"/>
          <xsl:apply-templates select="v:component/v:section" mode="section">
            <xsl:with-param name="level" select="3"/>
          </xsl:apply-templates>
        </section>
      </xsl:for-each>
      <xsl:if test="$last">
        <section class="signing">
          <h2 class="hide"><xsl:for-each select="$last"><xsl:call-template name="section-title"/></xsl:for-each></h2>
          <xsl:apply-templates select="$last/v:text/node()" mode="narrative"/>
        </section>
      </xsl:if>
      <footer>
        <xsl:call-template name="seals"/>
        <p class="number">
          <xsl:text>Mã tài liệu: </xsl:text>
          <xsl:value-of select="$document/v:id/@extension"/>
          <xsl:if test="not($document/v:id/@extension)"><xsl:value-of select="$document/v:id/@root"/></xsl:if>
          <xsl:text>, phiên bản </xsl:text>
          <xsl:value-of select="$document/v:versionNumber/@value"/>
          <xsl:for-each select="$document/v:relatedDocument[@typeCode = 'RPLC']/v:parentDocument/v:id">
            <xsl:text>, thay thế tài liệu </xsl:text>
            <xsl:value-of select="concat(@extension, substring(@root, 1 + string-length(@root) * boolean(@extension)))"/>
          </xsl:for-each>
          <xsl:text>.</xsl:text>
        </p>
      </footer>
    </article>
  </xsl:template>

  <!-- A line of the left or right block. A bare one shows its label only when nothing stands behind it. -->
  <xsl:template match="v:tr" mode="furniture">
    <p>
      <xsl:if test="contains(concat(' ', @styleCode, ' '), ' xStrong ')"><xsl:attribute name="class">strong</xsl:attribute></xsl:if>
      <span>
        <xsl:if test="contains(concat(' ', @styleCode, ' '), ' xBare ') and normalize-space(v:td)">
          <xsl:attribute name="class">hide</xsl:attribute>
        </xsl:if>
        <xsl:apply-templates select="v:th/node()" mode="narrative"/>
        <xsl:text> </xsl:text>
      </span>
      <xsl:apply-templates select="v:td/node()" mode="narrative"/>
      <xsl:if test="not(normalize-space(v:td))"><span class="dots">…………</span></xsl:if>
    </p>
  </xsl:template>

  <xsl:template match="v:table[contains(concat(' ', @styleCode, ' '), ' xRows ')]" mode="narrative" priority="2">
    <xsl:call-template name="rows"><xsl:with-param name="rows" select="v:tbody/v:tr"/></xsl:call-template>
  </xsl:template>

  <xsl:template name="rows">
    <xsl:param name="rows"/>
    <xsl:if test="$rows">
      <dl class="rows">
        <xsl:for-each select="$rows[not(contains(concat(' ', @styleCode, ' '), ' xSame '))
            or not(preceding-sibling::v:tr)]">
          <xsl:variable name="mates" select="following-sibling::v:tr[1][contains(concat(' ', @styleCode, ' '), ' xSame ')]"/>
          <xsl:variable name="text"><xsl:if test="$mates"><xsl:apply-templates select="." mode="letters"/></xsl:if></xsl:variable>
          <div>
            <xsl:attribute name="class">
              <xsl:choose>
                <xsl:when test="$mates and string-length($text) &lt; $line">line many</xsl:when>
                <xsl:when test="$mates">line flow</xsl:when>
                <xsl:when test="normalize-space(v:td)">line</xsl:when>
                <xsl:when test="string-length(v:th) &gt; 55">line long</xsl:when>
                <xsl:otherwise>line many</xsl:otherwise>
              </xsl:choose>
            </xsl:attribute>
            <xsl:apply-templates select="." mode="pair"/>
          </div>
        </xsl:for-each>
      </dl>
    </xsl:if>
  </xsl:template>

  <!-- Label and value of a row and of those on its line. -->
  <xsl:template match="v:tr" mode="pair">
    <dt><xsl:apply-templates select="v:th/node()" mode="narrative"/></dt>
    <xsl:text> </xsl:text>
    <dd>
      <xsl:if test="not(normalize-space(v:td))"><xsl:attribute name="class">blank</xsl:attribute></xsl:if>
      <xsl:apply-templates select="v:td/node()" mode="narrative"/>
    </dd>
    <xsl:text> </xsl:text>
    <xsl:apply-templates select="following-sibling::v:tr[1][contains(concat(' ', @styleCode, ' '), ' xSame ')]" mode="pair"/>
  </xsl:template>

  <xsl:template match="v:tr" mode="letters">
    <xsl:value-of select="."/>
    <xsl:if test="not(normalize-space(v:td))">some fifteen dots</xsl:if>
    <xsl:apply-templates select="following-sibling::v:tr[1][contains(concat(' ', @styleCode, ' '), ' xSame ')]" mode="letters"/>
  </xsl:template>

  <xsl:template match="v:paragraph[contains(concat(' ', @styleCode, ' '), ' xDate ')]" mode="narrative" priority="2">
    <p class="date"><xsl:apply-templates mode="narrative"/></p>
  </xsl:template>

  <xsl:template match="v:paragraph[contains(concat(' ', @styleCode, ' '), ' xNote ')]" mode="narrative" priority="2">
    <p class="remark"><xsl:apply-templates mode="narrative"/></p>
  </xsl:template>

  <!-- Signature slots: side by side; a second one on the same side starts another line. -->
  <xsl:template match="v:table[contains(concat(' ', @styleCode, ' '), ' xSigners ')]" mode="narrative" priority="2">
    <xsl:variable name="slots" select="v:tbody/v:tr"/>
    <xsl:call-template name="line-of-slots">
      <xsl:with-param name="left" select="$slots[contains(concat(' ', @styleCode, ' '), ' xLeft ')]"/>
      <xsl:with-param name="middle" select="$slots[contains(concat(' ', @styleCode, ' '), ' xMiddle ')]"/>
      <xsl:with-param name="right" select="$slots[contains(concat(' ', @styleCode, ' '), ' xRight ')]"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template name="line-of-slots">
    <xsl:param name="left"/>
    <xsl:param name="middle"/>
    <xsl:param name="right"/>
    <xsl:if test="$left or $middle or $right">
      <div class="slots">
        <div class="slot"><xsl:apply-templates select="$left[1]" mode="slot"/></div>
        <xsl:if test="$middle"><div class="slot"><xsl:apply-templates select="$middle[1]" mode="slot"/></div></xsl:if>
        <div class="slot"><xsl:apply-templates select="$right[1]" mode="slot"/></div>
      </div>
      <xsl:call-template name="line-of-slots">
        <xsl:with-param name="left" select="$left[position() &gt; 1]"/>
        <xsl:with-param name="middle" select="$middle[position() &gt; 1]"/>
        <xsl:with-param name="right" select="$right[position() &gt; 1]"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:tr" mode="slot">
    <xsl:variable name="signed" select="$view/view:signed[@slot = current()/v:td/@ID]"/>
    <p class="label"><xsl:apply-templates select="v:th/node()[not(preceding-sibling::v:br or self::v:br)]" mode="narrative"/></p>
    <p class="hint"><xsl:apply-templates select="v:th/node()[preceding-sibling::v:br]" mode="narrative"/></p>
    <div class="space">
      <!-- where a PDF signature goes; on the first copy only, since ids are unique -->
      <xsl:if test="not($signed) and v:td/@ID and not(contains(concat(' ', $head/v:text/@styleCode, ' '), ' xCopies2 '))">
        <xsl:attribute name="id">slot-<xsl:value-of select="v:td/@ID"/></xsl:attribute>
      </xsl:if>
      <xsl:apply-templates select="$signed"/>
    </div>
    <p class="name"><xsl:apply-templates select="v:td/node()" mode="narrative"/></p>
  </xsl:template>
</xsl:stylesheet>
